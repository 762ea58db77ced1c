//! Whatever is tried as one of the program's roles, in a transaction that is bound to a scope, no row
//! of another scope is read, counted, written or told of. The catalog is walked, so that a new table
//! cannot be forgotten.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use super::cluster::{Database, cluster};

/// The scope that is attacked from, and the one whose rows nobody must see.
const OWN: i64 = 900_001;
const OTHER: i64 = 900_002;
/// What nothing that was read or told may contain: it stands in every text and every byte of `OTHER`.
const SECRET: &str = "belongs to another";

/// Tables without rows of a tenant.
const OF_NO_TENANT: [&str; 3] = ["migration", "node", "registry_state"];

struct Table {
    name: String,
    /// The column by which a row is a scope's.
    scoped_by: &'static str,
    /// Columns that can be given, with their types.
    columns: Vec<(String, String)>,
}

impl Table {
    fn condition(&self, scope: i64) -> String {
        match self.scoped_by {
            "tenant" => format!("id = '{}'", uuid(scope)),
            column => format!("{column} = {scope}"),
        }
    }

    /// A row of a scope; `like` is whose values it has where they are not the scope's own.
    fn row(&self, scope: i64, like: i64) -> String {
        let text = if like == OTHER { SECRET } else { "own" };
        let values: Vec<String> = self
            .columns
            .iter()
            .map(|(name, of)| match (name.as_str(), of.as_str()) {
                ("scope", _) => scope.to_string(),
                ("id", "bigint") => scope.to_string(),
                ("id" | "tenant", "uuid") if self.name == "tenant" || self.name == "scope" => {
                    format!("'{}'", uuid(scope))
                }
                (_, "uuid") => format!("'{}'", uuid(like)),
                (_, "bigint") => like.to_string(),
                (_, "integer" | "smallint") => "1".into(),
                (_, "boolean") => "true".into(),
                (_, "bytea") => format!("rpad('{text} {like}', 32, '.')::bytea"),
                _ => format!("'{text} {like}'"),
            })
            .collect();
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        format!("INSERT INTO spine.{} ({}) VALUES ({})", self.name, names.join(", "), values.join(", "))
    }
}

fn uuid(of: i64) -> String {
    format!("00000000-0000-0000-0000-{of:012}")
}

async fn tables(admin: &mut PgConnection) -> Vec<Table> {
    let sql = "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attidentity::text \
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               WHERE c.relnamespace = 'spine'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1, a.attnum";
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for row in sqlx::query(sql).fetch_all(admin).await.unwrap() {
        let columns = found.entry(row.get(0)).or_default();
        if row.get::<String, _>(3).is_empty() {
            columns.push((row.get(1), row.get(2)));
        }
    }
    let of_tenants = found.into_iter().filter(|(name, _)| !OF_NO_TENANT.contains(&name.as_str()));
    of_tenants
        .map(|(name, columns)| {
            let scoped_by = match name.as_str() {
                "scope" => "id",
                "tenant" => "tenant",
                other => {
                    assert!(columns.iter().any(|(c, _)| c == "scope"), "`{other}` has no scope");
                    "scope"
                }
            };
            Table { name, scoped_by, columns }
        })
        .collect()
}

/// A database with a row of each scope in every table.
async fn filled() -> (Database, Vec<Table>) {
    let database = cluster().database().await;
    spine::store::postgres::migrate(&database.url()).await.unwrap();
    let mut admin = database.admin().await;
    let tables = tables(&mut admin).await;
    assert!(tables.len() > 30);
    for table in &tables {
        for scope in [OWN, OTHER] {
            admin.execute(AssertSqlSafe(table.row(scope, scope))).await.unwrap();
        }
    }
    admin.close().await.unwrap();
    (database, tables)
}

/// What a transaction says of where it works.
#[derive(Clone, Copy, Debug)]
enum Bound {
    To(&'static str),
    ToNothing,
}

/// What a statement gave: the rows as text, or what was said against it.
async fn tried(database: &Database, role: &str, bound: Bound, sql: &str) -> Result<Vec<String>, String> {
    let mut conn = database.connect().await;
    let mut tx = conn.begin().await.unwrap();
    tx.execute(AssertSqlSafe(format!("SET LOCAL ROLE {role}; SET LOCAL search_path = spine, pg_temp")))
        .await
        .unwrap();
    if let Bound::To(scope) = bound {
        tx.execute(AssertSqlSafe(format!("SET LOCAL spine.scope = '{scope}'"))).await.unwrap();
    }
    let done = match sql.strip_prefix("COPY ") {
        Some(copy) if copy.ends_with("TO STDOUT") => match tx.copy_out_raw(sql).await {
            Ok(mut out) => {
                let mut lines = Vec::new();
                let mut failed = None;
                loop {
                    match out.try_next().await {
                        Ok(Some(line)) => lines.push(String::from_utf8_lossy(&line).into_owned()),
                        Ok(None) => break,
                        Err(error) => {
                            failed = Some(words(&error));
                            break;
                        }
                    }
                }
                failed.map_or(Ok(lines), Err)
            }
            Err(error) => Err(words(&error)),
        },
        _ => match sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *tx).await {
            Ok(rows) => {
                Ok(rows.iter().map(|row| row.get::<Option<String>, _>(0).unwrap_or_default()).collect())
            }
            Err(error) => Err(words(&error)),
        },
    };
    drop(tx);
    done
}

/// All that the server says about a failure.
fn words(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(said) => {
            let said: &sqlx::postgres::PgDatabaseError = said.downcast_ref();
            format!("{} {} {:?} {:?}", said.code(), said.message(), said.detail(), said.hint())
        }
        None => error.to_string(),
    }
}

const OWN_TEXT: &str = "900001";

#[tokio::test]
async fn no_row_of_another_scope_is_read_written_or_told_of() {
    let (database, tables) = filled().await;
    let mut wrong = Vec::new();
    for table in &tables {
        let (name, other) = (&table.name, table.condition(OTHER));
        let key = if table.scoped_by == "tenant" { "id" } else { table.scoped_by };
        for role in ["spine_engine", "spine_api"] {
            let mut fault = |what: &str, gave: &Result<Vec<String>, String>| {
                wrong.push(format!("{role} in `{name}`: {what}: {gave:?}"));
            };
            // Own rows are seen: what is not seen below is not merely forbidden.
            let own =
                tried(&database, role, Bound::To(OWN_TEXT), &format!("SELECT count(*)::text FROM {name}"))
                    .await;
            if own != Ok(vec!["1".into()]) {
                fault("its own row is not there alone", &own);
            }
            for sql in [
                format!("SELECT t::text FROM {name} t"),
                format!("SELECT t::text FROM {name} t WHERE {other}"),
                format!("SELECT t::text FROM {name} t WHERE {other} OR true"),
                format!("SELECT max({key}::text) FROM {name}"),
                format!("COPY {name} TO STDOUT"),
                format!("WITH gone AS (DELETE FROM {name} RETURNING *) SELECT gone::text FROM gone"),
                format!(
                    "WITH gone AS (DELETE FROM {name} WHERE {other} RETURNING 1) SELECT count(*)::text FROM gone"
                ),
                format!(
                    "WITH moved AS (UPDATE {name} SET {key} = {key} WHERE {other} RETURNING 1) SELECT count(*)::text FROM moved"
                ),
            ] {
                let gave = tried(&database, role, Bound::To(OWN_TEXT), &sql).await;
                let told = match &gave {
                    Ok(rows) => rows.join(" "),
                    Err(words) => words.clone(),
                };
                let counts_none = !sql.contains("count(*)")
                    || matches!(gave.as_deref(), Err(_) | Ok([]))
                    || gave == Ok(vec!["0".into()]);
                if told.contains(SECRET) || told.contains(&OTHER.to_string()) || !counts_none {
                    fault(&sql, &gave);
                }
            }
            for sql in [
                table.row(OTHER, OTHER),
                table.row(OTHER, 900_003),
                format!(
                    "WITH moved AS (UPDATE {name} SET {key} = {} RETURNING 1) SELECT count(*)::text FROM moved",
                    if key == "id" && table.scoped_by == "tenant" {
                        format!("'{}'", uuid(OTHER))
                    } else {
                        OTHER.to_string()
                    }
                ),
                format!("TRUNCATE {name}"),
            ] {
                let gave = tried(&database, role, Bound::To(OWN_TEXT), &sql).await;
                match &gave {
                    Err(words) if !words.contains(SECRET) => {}
                    Ok(moved) if *moved == ["0"] => {}
                    _ => fault(&sql, &gave),
                }
            }
            // The same ids and keys are free in one's own scope, or nothing is said of whose they are.
            let gave = tried(&database, role, Bound::To(OWN_TEXT), &table.row(OWN, OTHER)).await;
            if gave.as_ref().is_err_and(|words| words.contains(SECRET) || words.contains("Some(\"Key")) {
                fault("a taken key is told of", &gave);
            }
            // And whether anybody has them is not to be found out by trying.
            let free = tried(&database, role, Bound::To(OWN_TEXT), &table.row(OWN, 900_004)).await;
            let code = |gave: &Result<Vec<String>, String>| {
                gave.as_ref().err().map(|words| words.chars().take(5).collect::<String>())
            };
            if code(&gave) != code(&free) {
                fault(
                    &format!("what another has is refused otherwise than what nobody has ({free:?})"),
                    &gave,
                );
            }
            // Without a scope, or with nonsense for one, there is nothing.
            let count = format!("SELECT count(*)::text FROM {name}");
            for bound in [Bound::ToNothing, Bound::To("")] {
                let gave = tried(&database, role, bound, &count).await;
                if gave != Ok(vec!["0".into()]) {
                    fault(&format!("bound {bound:?}"), &gave);
                }
            }
            for nonsense in ["x", "900002; RESET ROLE", "900002 OR true", "9e5"] {
                let gave = tried(&database, role, Bound::To(nonsense), &count).await;
                if gave.is_ok() {
                    fault(nonsense, &gave);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // Nothing of all that changed a row of the other scope.
    let mut admin = database.admin().await;
    for table in &tables {
        let sql = format!("SELECT count(*) FROM spine.{} WHERE {}", table.name, table.condition(OTHER));
        let count: i64 = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut admin).await.unwrap().get(0);
        assert_eq!(count, 1, "{}", table.name);
    }
}

#[tokio::test]
async fn the_login_role_has_nothing_before_it_says_as_whom_it_works() {
    let (database, tables) = filled().await;
    for table in &tables {
        let name = format!("spine.{}", table.name);
        for bound in [Bound::To(OWN_TEXT), Bound::ToNothing] {
            for sql in [
                format!("SELECT count(*)::text FROM {name}"),
                table.row(OTHER, 900_003),
                format!("UPDATE {name} SET {key} = {key}", key = table.columns[0].0),
                format!("DELETE FROM {name}"),
                format!("COPY {name} TO STDOUT"),
                format!("ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY"),
                format!("ALTER TABLE {name} DISABLE TRIGGER ALL"),
            ] {
                let gave = tried(&database, "none", bound, &sql).await;
                assert!(gave.as_ref().is_err_and(|words| words.starts_with("42501")), "{sql}: {gave:?}");
            }
        }
    }
    for sql in [
        "SELECT last_value::text FROM spine.position",
        "SELECT nextval('spine.position')::text",
        "SELECT spine.orphaned()::text",
        "SELECT spine.newest_events('{1}', '{0}')::text",
    ] {
        let gave = tried(&database, "none", Bound::To(OWN_TEXT), sql).await;
        assert!(gave.as_ref().is_err_and(|words| words.starts_with("42501")), "{sql}: {gave:?}");
    }
}

#[tokio::test]
async fn the_audit_is_only_added_to_by_whoever() {
    let (database, _) = filled().await;
    for table in ["journal", "audit", "registry_audit"] {
        for role in ["spine_engine", "spine_api", "spine_owner"] {
            for sql in [
                format!("UPDATE {table} SET scope = scope"),
                format!("DELETE FROM {table}"),
                format!("TRUNCATE {table}"),
            ] {
                let gave = tried(&database, role, Bound::To(OWN_TEXT), &sql).await;
                assert!(
                    gave.as_ref().is_err_and(|words| words.starts_with("42501")),
                    "{role}: {sql}: {gave:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_catalog_has_no_way_around() {
    let (database, tables) = filled().await;
    let mut admin = database.admin().await;
    let mut list = async |sql: &'static str| -> Vec<String> {
        let rows = sqlx::query(sql).fetch_all(&mut admin).await.unwrap();
        rows.iter().map(|row| row.get::<String, _>(0)).collect()
    };
    let none: [&str; 0] = [];
    assert_eq!(
        list(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'spine'::regnamespace AND relkind IN ('r', 'p') \
             AND NOT (relrowsecurity AND relforcerowsecurity)"
        )
        .await,
        none,
        "row-level security is not forced"
    );
    assert_eq!(
        list("SELECT relname::text FROM pg_class WHERE relnamespace = 'spine'::regnamespace AND relkind IN ('v', 'm', 'f')")
            .await,
        none,
        "a view shows rows by its owner's rights"
    );
    assert_eq!(
        list(
            "SELECT conname::text FROM pg_constraint WHERE connamespace = 'spine'::regnamespace AND contype = 'f'"
        )
        .await,
        none,
        "a foreign key looks past row-level security"
    );
    assert_eq!(
        list(
            "SELECT proname::text FROM pg_proc WHERE pronamespace = 'spine'::regnamespace AND prosecdef \
             AND (proname NOT IN ('orphaned', 'signalled', 'newest_events') \
                  OR EXISTS (SELECT FROM unnest(coalesce(proallargtypes, ARRAY[prorettype])) AS t \
                             WHERE t NOT IN ('int8'::regtype, 'int8[]'::regtype)))"
        )
        .await,
        none,
        "a function gives more than numbers of scopes and positions"
    );
    assert_eq!(
        list(
            "SELECT c.relname || ' ' || i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
             WHERE c.relnamespace = 'spine'::regnamespace AND a.attname <> 'scope' AND c.relname NOT IN \
               ('migration', 'node', 'registry_state', 'tenant', 'scope', 'key', 'provider_scope', 'registry_audit') \
             AND i.indexrelid <> 'spine.generation_changed'::regclass"
        )
        .await,
        none,
        "an index of a tenant's table does not begin with the scope"
    );
    assert_eq!(
        list(
            "SELECT r.rolname || ' ' || s.relname FROM pg_class s, pg_roles r WHERE s.relkind = 'S' \
             AND s.relnamespace = 'spine'::regnamespace AND r.rolname IN ('spine_api', 'spine_engine') \
             AND has_sequence_privilege(r.oid, s.oid, 'UPDATE')"
        )
        .await,
        none,
        "a sequence can be set back"
    );
    assert_eq!(
        list(
            "SELECT DISTINCT c.relname::text FROM pg_class c, aclexplode(c.relacl) AS a \
             WHERE c.relnamespace = 'spine'::regnamespace AND a.grantee = 0"
        )
        .await,
        none,
        "everybody has rights"
    );
    assert!(!tables.is_empty());
}
