//! What is not served on: each says what is wrong and what to do.

use super::*;
use crate::store::postgres::{LoginFor, grant_sql, migrate, open_beside, plan};

/// A database as a first start leaves it.
async fn made() -> InDatabase {
    let place = InDatabase::default();
    open(place.options().await).await.unwrap().close().await.unwrap();
    place
}

async fn refusal(place: &InDatabase) -> String {
    match open(place.options().await).await {
        Ok(_) => panic!("was opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_is_not_right_is_refused_and_left_alone() {
    // What an administrator did before, and what is said.
    let cases: &[(&str, &[&str])] = &[
        (
            "INSERT INTO spine.migration VALUES (99, 'later', now(), true, '\\x00', 1, 99)",
            &["step 99", "newer spine", "run that version or a later one"],
        ),
        ("UPDATE spine.migration SET success = false", &["half-migrated", "backup"]),
        ("UPDATE spine.migration SET checksum = '\\x00'", &["another text", "not one of this program"]),
        ("DROP TABLE spine.signal", &["half there", "signal", "backup"]),
        ("DROP TABLE spine.migration", &["no book of migrations", "another database"]),
        (
            "ALTER TABLE spine.message DISABLE ROW LEVEL SECURITY; ALTER TABLE spine.event NO FORCE ROW LEVEL SECURITY",
            &["row-level security is not forced", "message", "event"],
        ),
        ("ALTER TABLE spine.message OWNER TO CURRENT_USER", &["do not belong to spine_owner", "message"]),
        (
            "GRANT DELETE ON spine.journal TO spine_engine",
            &["audit could be changed", "spine_engine on journal"],
        ),
        (
            "CREATE POLICY all_of_them ON spine.message TO spine_api USING (true)",
            &["every tenant", "all_of_them on message"],
        ),
        ("ALTER POLICY bound ON spine.event WITH CHECK (true)", &["every tenant", "bound on event"]),
        ("ALTER TABLE spine.audit DISABLE TRIGGER ALL", &["triggers", "switched off", "audit"]),
        ("DROP TRIGGER journal_only_pruned ON spine.journal", &["triggers", "gone", "journal"]),
    ];
    for (sql, said) in cases {
        let place = made().await;
        let database = place.database().await;
        database.run(sql).await;
        let before = tables(database).await;
        let told = refusal(&place).await;
        for words in *said {
            assert!(told.contains(words), "{sql}: {told}");
        }
        assert_eq!(tables(database).await, before, "{sql}: something was made or dropped");
        assert!(open_beside(place.options().await).await.is_err(), "{sql}: was read");
    }
}

async fn tables(database: &Database) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'spine'::regnamespace \
               ORDER BY 1";
    let mut conn = database.admin().await;
    let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
    rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tables_are_those_that_are_looked_for() {
    let place = made().await;
    assert_eq!(tables(place.database().await).await, crate::store::postgres::install::TABLES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_somebody_else_is_refused() {
    let place = InDatabase::default();
    place.database().await.run("CREATE SCHEMA spine; CREATE TABLE spine.thesis (page int)").await;
    let told = refusal(&place).await;
    assert!(told.contains("not one of this program") && told.contains("another database"), "{told}");
    assert_eq!(tables(place.database().await).await, ["thesis"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_past_row_level_security_is_refused() {
    let cases: &[(&str, &[&str])] = &[
        ("ALTER ROLE {} SUPERUSER", &["is a superuser", "CREATE ROLE spine_app"]),
        ("ALTER ROLE {} BYPASSRLS", &["has BYPASSRLS", "CREATE ROLE spine_app"]),
        (
            "CREATE ROLE strong_{} BYPASSRLS; GRANT strong_{} TO {}",
            &["may become `strong_", "REVOKE strong_"],
        ),
        (
            "GRANT CREATE ON SCHEMA spine TO {}; ALTER TABLE spine.message OWNER TO {}",
            &["owns tables", "message", "REASSIGN OWNED"],
        ),
    ];
    let place = made().await;
    let database = place.database().await;
    for (number, (sql, said)) in cases.iter().enumerate() {
        let role = format!("role_{}_{number}", database.name);
        database
            .run(&format!(
                "CREATE ROLE {role} LOGIN CREATEROLE PASSWORD 'of-the-tests'; GRANT spine_owner, spine_engine, spine_api TO {role}"
            ))
            .await;
        database.run(&sql.replace("{}", &role)).await;
        let told = match open(Options { url: database.url_as(&role), ..place.options().await }).await {
            Ok(_) => panic!("{sql}: was opened"),
            Err(error) => error.to_string(),
        };
        for words in *said {
            assert!(told.contains(words), "{sql}: {told}");
        }
        database.run("ALTER TABLE spine.message OWNER TO spine_owner").await;
        database
            .run(&format!(
                "REVOKE ALL ON SCHEMA spine FROM {role}; DROP ROLE {role}; DROP ROLE IF EXISTS strong_{role}"
            ))
            .await;
    }
    // As it was, it is served.
    open(place.options().await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_may_make_everything_instead() {
    let place = InDatabase::default();
    let database = place.database().await;
    let role = format!("plain_{}", database.name);
    database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'of-the-tests'")).await;
    let options = Options { url: database.url_as(&role), ..place.options().await };
    let told = match open(options.clone()).await {
        Ok(_) => panic!("was opened"),
        Err(error) => error.to_string(),
    };
    assert!(told.contains("spine database grant --print") && told.contains(&role), "{told}");
    assert!(plan(&options.url).await.unwrap().iter().all(|step| !step.applied));
    database.run(&grant_sql(&role, LoginFor::Everything)).await;
    let store = open(options.clone()).await.unwrap();
    store.registry().make_tenant(crate::store::conformance::tenant(1)).await.unwrap();
    store.close().await.unwrap();
    assert!(plan(&options.url).await.unwrap().iter().all(|step| step.applied));
    open_beside(options).await.unwrap();
    database.run(&format!("REVOKE spine_owner, spine_engine, spine_api FROM {role}; DROP ROLE {role}")).await;
}

/// What a login role sees of the tables before it says as which role it works.
async fn seen_at_once(database: &Database, role: &str) -> Result<i64, String> {
    let mut conn = PgConnection::connect(&database.url_as(role)).await.unwrap();
    let count = sqlx::query("SELECT count(*) FROM spine.scope").fetch_one(&mut conn).await;
    count.map(|row| sqlx::Row::get(&row, 0)).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_has_the_owners_rights_at_once_is_mended_or_refused() {
    let place = made().await;
    let database = place.database().await;
    for (number, may_mend) in [false, true].into_iter().enumerate() {
        let role = format!("heir_{}_{number}", database.name);
        let makes_roles = if may_mend { "CREATEROLE" } else { "NOCREATEROLE" };
        database
            .run(&format!(
                "CREATE ROLE {role} LOGIN {makes_roles} INHERIT PASSWORD 'of-the-tests'; \
                 GRANT spine_owner, spine_engine, spine_api TO {role}"
            ))
            .await;
        assert!(seen_at_once(database, &role).await.is_ok(), "the role inherits nothing");
        let options = Options { url: database.url_as(&role), ..place.options().await };
        let told = open_beside(options.clone()).await.err().unwrap().to_string();
        let words = ["has the rights of", "spine_owner", "INHERIT"];
        assert!(words.iter().all(|word| told.contains(word)), "{told}");
        // From version 16 on only who granted can take it back.
        let is_old = sqlx::query("SELECT current_setting('server_version_num')::int < 160000");
        let is_old: bool = sqlx::Row::get(&is_old.fetch_one(&mut database.admin().await).await.unwrap(), 0);
        match open(options).await {
            Ok(store) => {
                assert!(may_mend && is_old);
                store.close().await.unwrap();
                let told = seen_at_once(database, &role).await.unwrap_err();
                assert!(told.contains("permission denied"), "{told}");
            }
            Err(error) => {
                assert!(!(may_mend && is_old));
                assert!(error.to_string().contains("INHERIT"), "{error}");
            }
        }
        database
            .run(&format!("REVOKE spine_owner, spine_engine, spine_api FROM {role}; DROP ROLE {role}"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_that_only_serves_never_becomes_the_owner() {
    let place = InDatabase::default();
    let database = place.database().await;
    let [serves, migrates] = ["serves", "migrates"].map(|what| format!("{what}_{}", database.name));
    for (role, login_for) in [(&serves, LoginFor::Serving), (&migrates, LoginFor::Everything)] {
        database.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'of-the-tests'")).await;
        // Run again, it is the same.
        for _ in 0..2 {
            database.run(&grant_sql(role, login_for)).await;
        }
    }
    let options = Options { url: database.url_as(&serves), ..place.options().await };
    let told = open(options.clone()).await.err().unwrap().to_string();
    assert!(told.contains("only serves") && told.contains("spine migrate"), "{told}");
    migrate(&database.url_as(&migrates)).await.unwrap();
    let store = open(options.clone()).await.unwrap();
    store.registry().make_tenant(crate::store::conformance::tenant(1)).await.unwrap();
    store.close().await.unwrap();
    open_beside(options).await.unwrap();
    let mut conn = PgConnection::connect(&database.url_as(&serves)).await.unwrap();
    let told = sqlx::query("SET ROLE spine_owner").execute(&mut conn).await.unwrap_err().to_string();
    assert!(told.contains("permission denied"), "{told}");
    conn.close().await.unwrap();
    for role in [&serves, &migrates] {
        assert!(seen_at_once(database, role).await.is_err(), "{role}");
        database
            .run(&format!("REVOKE spine_owner, spine_engine, spine_api FROM {role}; DROP ROLE {role}"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_key_is_needed_and_must_be_the_one() {
    let place = made().await;
    let mut options = place.options().await;
    let store = open(options.clone()).await.unwrap();
    store.registry().make_tenant(crate::store::conformance::tenant(1)).await.unwrap();
    store.close().await.unwrap();
    for (key, said) in [
        (None, "SPINE_MASTER_KEY is not set"),
        (Some("short".to_owned()), "not 32 bytes"),
        (Some("AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".to_owned()), "does not open what is stored"),
    ] {
        options.master_key = key;
        let told = match open(options.clone()).await {
            Ok(_) => panic!("was opened"),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(said), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_starts_at_once_make_one_schema() {
    let place = InDatabase::default();
    let options = place.options().await;
    let starts = (0..6).map(|_| open(options.clone()));
    for store in futures_util::future::join_all(starts).await {
        store.unwrap().close().await.unwrap();
    }
    assert!(plan(&options.url).await.unwrap().iter().all(|step| step.applied));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_that_leads_nowhere_is_told_without_its_password() {
    let place = InDatabase::default();
    for (url, said) in [
        ("mysql://u:s3cret@host/db", "postgres://"),
        ("postgres://u:s3cret@127.0.0.1:1/db", "cannot be reached"),
        ("postgres://u:s3cret@:::::/db", "postgres://user:password@host"),
    ] {
        let told = match open(Options { url: url.into(), ..place.options().await }).await {
            Ok(_) => panic!("was opened"),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(said) && !told.contains("s3cret"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_book_that_lacks_a_step_which_was_taken_is_refused() {
    let place = made().await;
    let database = place.database().await;
    let before = tables(database).await;
    for (lacks, words) in [
        ("version = 3", ["half-migrated", "step 3 was not finished", "backup"]),
        ("version >= 3", ["half-migrated", "\"unsettled\" already exists", "backup"]),
    ] {
        database.run(&format!("DELETE FROM spine.migration WHERE {lacks}")).await;
        let told = refusal(&place).await;
        for words in words {
            assert!(told.contains(words), "{told}");
        }
        assert_eq!(tables(database).await, before);
    }
}
