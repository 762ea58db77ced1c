//! What a session finds: who it is, which roles, schema and steps there are, and what is missing.

use sqlx::{Connection as _, PgConnection, Row as _};

use super::{ROLES, SERVING, Step, VERSION_GRANTS_SAY, VERSION_MIN, migrator};
use crate::store::StoreError;
use crate::store::postgres::error::told;

/// Who this session is, and what it finds.
#[derive(Debug)]
pub(super) struct Installation {
    pub(super) version: i64,
    pub(super) is_standby: bool,
    pub(super) role: String,
    pub(super) is_superuser: bool,
    pub(super) bypasses: bool,
    pub(super) may_make_roles: bool,
    pub(super) may_make_schemas: bool,
    pub(super) database: String,
    /// Roles past security that this one may become.
    pub(super) strong: Option<String>,
    /// Tables of the schema that it owns itself.
    pub(super) owns: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) member_of: Vec<String>,
    /// The program's roles whose rights this one has without saying so.
    pub(super) inherited: Vec<String>,
    pub(super) schema_owner: Option<String>,
    /// Names of what lies in the schema.
    pub(super) objects: Vec<String>,
    /// Steps that were taken.
    pub(super) taken: Vec<Taken>,
    /// The migrations that this program knows.
    pub(super) known: &'static [Step],
}

/// A step that was taken.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) version: i64,
    pub(super) checksum: Vec<u8>,
    pub(super) finished: bool,
    /// What a program must know since.
    pub(super) needs: i64,
}

pub(super) fn refused(what: impl Into<String>) -> StoreError {
    StoreError::Database(what.into())
}

/// A role's name as SQL takes it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn listed(names: Option<String>) -> Vec<String> {
    names.map(|names| names.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

impl Installation {
    /// Looks, and changes nothing.
    pub(super) async fn looked(
        conn: &mut PgConnection,
        known: &'static [Step],
    ) -> Result<Installation, StoreError> {
        let mut tx = conn.begin().await.map_err(|error| told(&error))?;
        let found = Installation::look(&mut tx, known).await?;
        tx.rollback().await.map_err(|error| told(&error))?;
        Ok(found)
    }

    /// The same in a transaction that is open.
    pub(super) async fn look(
        conn: &mut PgConnection,
        known: &'static [Step],
    ) -> Result<Installation, StoreError> {
        let sql = "SELECT current_setting('server_version_num')::int8, pg_is_in_recovery(), current_user::text, \
               r.rolsuper, r.rolbypassrls, r.rolcreaterole, has_database_privilege(current_database(), 'CREATE'), \
               current_database()::text, \
               (SELECT string_agg(s.rolname, ', ') FROM pg_roles s WHERE (s.rolsuper OR s.rolbypassrls) \
                  AND s.oid <> r.oid AND pg_has_role(r.oid, s.oid, 'MEMBER')), \
               (SELECT string_agg(c.relname, ', ') FROM pg_class c WHERE c.relowner = r.oid \
                  AND c.relnamespace = n.oid AND c.relkind IN ('r', 'p')), \
               (SELECT string_agg(o.rolname, ',') FROM pg_roles o WHERE o.rolname = ANY($1)), \
               (SELECT string_agg(o.rolname, ',') FROM pg_roles o WHERE o.rolname = ANY($1) \
                  AND pg_has_role(r.oid, o.oid, 'MEMBER')), \
               (SELECT string_agg(o.rolname, ',') FROM pg_roles o WHERE o.rolname = ANY($1) \
                  AND pg_has_role(r.oid, o.oid, 'USAGE')), \
               pg_get_userbyid(n.nspowner)::text, \
               (SELECT string_agg(c.relname, ',' ORDER BY c.relname) FROM pg_class c \
                  WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')) \
             FROM pg_roles r LEFT JOIN pg_namespace n ON n.nspname = 'spine' WHERE r.rolname = current_user";
        let row = sqlx::query(sql)
            .persistent(false)
            .bind(ROLES.map(str::to_owned).to_vec())
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| told(&error))?;
        let mut found = Installation {
            version: row.get(0),
            is_standby: row.get(1),
            role: row.get(2),
            is_superuser: row.get(3),
            bypasses: row.get(4),
            may_make_roles: row.get(5),
            may_make_schemas: row.get(6),
            database: row.get(7),
            strong: row.get(8),
            owns: row.get(9),
            roles: listed(row.get(10)),
            member_of: listed(row.get(11)),
            inherited: listed(row.get(12)),
            schema_owner: row.get(13),
            objects: listed(row.get(14)),
            taken: Vec::new(),
            known,
        };
        if found.has("migration") && found.may_serve() {
            found.taken = taken(conn).await?;
        }
        Ok(found)
    }

    pub(super) fn has(&self, object: &str) -> bool {
        self.objects.iter().any(|name| name == object)
    }

    /// Whether the roles that serve are there, and this one may work as each.
    pub(super) fn may_serve(&self) -> bool {
        SERVING.iter().all(|role| self.member_of.iter().any(|name| name == role))
    }

    /// Whether nothing is left to make.
    pub(super) fn is_ready(&self) -> bool {
        self.may_serve() && self.inherited.is_empty() && self.is_newest()
    }

    /// Whether it has every step that this program knows; a newer program may have taken more.
    pub(super) fn is_newest(&self) -> bool {
        self.taken.len() >= self.known.len()
    }

    /// Refuses a server, or a session, on which nothing of ours is safe.
    pub(super) fn check_session(&self) -> Result<(), StoreError> {
        let Installation { role, database, .. } = self;
        if self.version < VERSION_MIN {
            return Err(refused(format!(
                "this PostgreSQL has version {}; spine needs 14 or later",
                self.version / 10_000
            )));
        }
        if self.is_standby {
            return Err(refused("the database is a read-only standby; let the URL name the primary"));
        }
        let instead = format!(
            "let the URL name a role of its own, made by an administrator:\n  \
             CREATE ROLE spine_app LOGIN PASSWORD '…' CREATEROLE;\n  \
             GRANT CREATE ON DATABASE {} TO spine_app;",
            quoted(database)
        );
        if self.is_superuser || self.bypasses {
            let what = if self.is_superuser { "is a superuser" } else { "has BYPASSRLS" };
            return Err(refused(format!(
                "the role `{role}` {what}, so row-level security would not keep tenants apart; {instead}"
            )));
        }
        if let Some(strong) = &self.strong {
            return Err(refused(format!(
                "the role `{role}` may become `{strong}`, for whom row-level security has no effect; take that \
                 away (REVOKE {strong} FROM {}), or {instead}",
                quoted(role)
            )));
        }
        if let Some(owns) = &self.owns {
            return Err(refused(format!(
                "the role `{role}` owns tables of the schema `spine` ({owns}), so it could switch row-level \
                 security off; give them to spine_owner:\n  REASSIGN OWNED BY {} TO spine_owner;",
                quoted(role)
            )));
        }
        Ok(())
    }

    /// Refuses a session that has the rights of the program's roles outside the transactions that say as
    /// which of them they work: as the schema's owner it would see rows of every scope.
    pub(super) fn check_inherited(&self) -> Result<(), StoreError> {
        if self.inherited.is_empty() {
            return Ok(());
        }
        let (role, of) = (&self.role, self.inherited.join(", "));
        let instead = if self.version >= VERSION_GRANTS_SAY {
            format!("GRANT {of} TO {} WITH INHERIT FALSE, SET TRUE;", quoted(role))
        } else {
            format!("ALTER ROLE {} NOINHERIT;", quoted(role))
        };
        Err(refused(format!(
            "the role `{role}` has the rights of {of} without asking for them, so row-level security would not \
             keep tenants apart; let who granted them run:\n  {instead}"
        )))
    }

    /// Refuses a schema that this program did not make, or not to its end, or not yet.
    pub(super) fn check_schema(&self) -> Result<(), StoreError> {
        if self.objects.is_empty() {
            return Ok(());
        }
        let foreign = |what: &str| {
            refused(format!(
                "the schema `spine` of the database `{}` is not one of this program ({what}); choose another \
                 database, or give that schema another name (ALTER SCHEMA spine RENAME TO …)",
                self.database
            ))
        };
        if !self.has("migration") {
            return Err(foreign("it has tables and no book of migrations"));
        }
        if !self.may_serve() {
            return Ok(());
        }
        let newest = self.known.len() as i64;
        let needs = self.taken.iter().map(|step| step.needs).max().unwrap_or_default();
        if needs > newest {
            let version = self.taken.iter().map(|step| step.version).max().unwrap_or_default();
            return Err(refused(format!(
                "the database was brought to step {version} by a newer spine, which asks of every program to \
                 know step {needs}, and this one knows steps up to {newest}; run that version or a later one"
            )));
        }
        if self.taken.is_empty() {
            return Err(foreign("its book of migrations is empty"));
        }
        for (expected, Taken { version, checksum, finished, .. }) in (1..).zip(&self.taken) {
            let known = migrator(self.known);
            let text = known.iter().find(|migration| migration.version == *version);
            if *version != expected || !finished {
                return Err(refused(format!(
                    "the schema is half-migrated (step {expected} was not finished, later ones were begun); \
                     restore the database from a backup"
                )));
            }
            if text.is_some_and(|text| *text.checksum != **checksum) {
                return Err(foreign(&format!("step {version} was taken with another text")));
            }
        }
        Ok(())
    }

    /// What an administrator can do where this role may not make something.
    pub(super) fn may_not(&self, what: &str) -> StoreError {
        let role = &self.role;
        refused(format!(
            "the role `{role}` may not {what}; let an administrator run what `spine database grant --print \
             --to {role}` prints, connected to the database `{}`, or give the role what it takes:\n  \
             ALTER ROLE {} CREATEROLE;\n  GRANT CREATE ON DATABASE {} TO {};",
            self.database,
            quoted(role),
            quoted(&self.database),
            quoted(role)
        ))
    }

    /// A role that may not bring the schema up to date.
    fn only_serves(&self) -> StoreError {
        refused(format!(
            "the schema has {} of {} steps, and the role `{}` only serves; run `spine migrate` with the URL of \
             the role that migrates",
            self.taken.len(),
            self.known.len(),
            self.role
        ))
    }

    /// The statements that make what is missing of roles and schema.
    pub(super) fn missing(&self) -> Result<String, StoreError> {
        let mut sql = String::new();
        let missing: Vec<&str> =
            ROLES.into_iter().filter(|role| !self.roles.iter().any(|name| name == role)).collect();
        if !missing.is_empty() && !self.may_make_roles {
            return Err(self.may_not("make roles"));
        }
        for role in missing {
            sql.push_str(&make_role(role));
        }
        let wanted = |role: &&str| {
            let of = |names: &[String]| names.iter().any(|name| name == role);
            // Who only serves needs no part in the owner of a schema that is up to date.
            of(&self.inherited) || !of(&self.member_of) && (SERVING.contains(role) || !self.is_newest())
        };
        let wanted: Vec<&str> = ROLES.into_iter().filter(wanted).collect();
        if !wanted.is_empty() {
            if !self.may_make_roles {
                self.check_inherited()?;
                return Err(if self.may_serve() {
                    self.only_serves()
                } else {
                    self.may_not(&format!("work as {}", wanted.join(", ")))
                });
            }
            sql.push_str(&grant(&wanted, &self.role, self.version >= VERSION_GRANTS_SAY));
        }
        match &self.schema_owner {
            None if !self.may_make_schemas => return Err(self.may_not("make a schema")),
            None => sql.push_str("CREATE SCHEMA IF NOT EXISTS spine AUTHORIZATION spine_owner;\n"),
            Some(owner) if owner == "spine_owner" => {}
            Some(owner) => {
                return Err(refused(format!(
                    "the schema `spine` belongs to `{owner}`; let an administrator give it to its role:\n  \
                     ALTER SCHEMA spine OWNER TO spine_owner;"
                )));
            }
        }
        Ok(sql)
    }
}

pub(super) fn make_role(role: &str) -> String {
    // The roles are the whole server's: somebody may make them for another database at this moment.
    format!(
        "DO $do$ BEGIN CREATE ROLE {role} NOLOGIN; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $do$;\n"
    )
}

/// The statements by which a login role may become some of the program's roles, and has nothing of theirs before
/// it does.
pub(super) fn grant(roles: &[&str], login: &str, grants_say: bool) -> String {
    let (roles, login) = (roles.join(", "), quoted(login));
    if grants_say {
        format!("GRANT {roles} TO {login} WITH INHERIT FALSE, SET TRUE;\n")
    } else {
        format!("ALTER ROLE {login} NOINHERIT;\nGRANT {roles} TO {login};\n")
    }
}

pub(super) async fn taken(conn: &mut PgConnection) -> Result<Vec<Taken>, StoreError> {
    let mut tx = conn.begin().await.map_err(|error| told(&error))?;
    sqlx::raw_sql("SET LOCAL ROLE spine_engine").execute(&mut *tx).await.map_err(|error| told(&error))?;
    let rows = sqlx::query(
        // The first step says nothing of what it needs.
        "SELECT version, checksum, success, coalesce((to_jsonb(m) ->> 'needs')::int8, 1) \
         FROM spine.migration m ORDER BY version",
    )
    .persistent(false)
    .fetch_all(&mut *tx)
    .await
    // A book that is not ours, or not readable yet, has no entries.
    .unwrap_or_default();
    tx.rollback().await.map_err(|error| told(&error))?;
    let taken = rows.iter().map(|row| Taken {
        version: row.get(0),
        checksum: row.get(1),
        finished: row.get(2),
        needs: row.get(3),
    });
    Ok(taken.collect())
}
