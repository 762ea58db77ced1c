//! Connections, and how a transaction begins.
//!
//! Everything that is set is set for one transaction, in the round trip that begins it: so it works
//! through a pooler that gives a connection for a transaction alone, and no setting can be left behind
//! for the next one.

use std::fmt::Write as _;
use std::str::FromStr as _;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Either, PgConnection, Postgres};

use super::error::{Fault, fault};
use super::install::{MIGRATIONS, Step, UNSETTLED_SINCE};
use crate::model::ScopeId;
use crate::store::StoreError;

/// How many prepared statements a connection keeps.
const STATEMENTS_MAX: usize = 250;
/// How long a request waits for a connection, which is tried again and again meanwhile.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(3);
/// After how long a connection that nobody uses is closed.
const IDLE: Duration = Duration::from_secs(60);
/// How long a transaction may take in all before it is given up as lost.
pub(super) const TRANSACTION_WITHIN: Duration = Duration::from_secs(60);

/// Limits of every transaction. `lock_timeout` is the shorter, so that one that waits says so. Nothing
/// here runs so long that compiling it would pay.
const LIMITS: &str = "SET LOCAL jit=off;SET LOCAL statement_timeout='30s';SET LOCAL lock_timeout='10s';\
     SET LOCAL idle_in_transaction_session_timeout='15s';";

/// As whom a transaction works.
#[derive(Debug, Clone, Copy)]
pub(super) enum As {
    /// The engine in a scope: reads and writes.
    Engine(ScopeId),
    /// The engine in the installation's own tables.
    Registry,
    /// A request in a scope: reads.
    Api(ScopeId),
    /// The operator in a scope, as the role to which the schema belongs.
    Owner(ScopeId),
}

impl As {
    /// What begins the transaction.
    pub(super) fn begin(self) -> String {
        let (mode, role) = match self {
            As::Engine(_) | As::Registry => ("READ WRITE", "spine_engine"),
            As::Owner(_) => ("READ WRITE", "spine_owner"),
            As::Api(_) => ("READ ONLY", "spine_api"),
        };
        let mut sql = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED {mode};SET LOCAL ROLE {role};\
             SET LOCAL search_path=spine,pg_temp;SET LOCAL client_min_messages=error;{LIMITS}"
        );
        // Writing into a string does not fail.
        let _ = match self {
            As::Engine(scope) | As::Api(scope) | As::Owner(scope) => {
                write!(sql, "SET LOCAL spine.scope='{}';", scope.0)
            }
            As::Registry => write!(sql, "SET LOCAL spine.registry='on';"),
        };
        if matches!(self, As::Api(_)) {
            // Reads are pages and points, each found by an index; a plan that was made while a table was
            // small must not read all of it later.
            sql.push_str("SET LOCAL enable_hashjoin=off;SET LOCAL enable_mergejoin=off;");
        } else {
            // Explicit: with anything less a crash of the server loses commits that were answered.
            sql.push_str("SET LOCAL synchronous_commit=on;");
        }
        sql
    }
}

/// How connections are made.
#[derive(Clone)]
pub(super) struct Connector {
    options: PgConnectOptions,
    /// Whether statements are prepared for longer than a transaction.
    pub(super) prepares: bool,
    /// The migrations that the program knows.
    pub(super) known: &'static [Step],
}

impl Connector {
    /// Reads the URL.
    pub(super) fn of(url: &str, prepares: bool) -> Result<Connector, StoreError> {
        let refused = |detail: String| StoreError::Io { what: "reading the database's URL", detail };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(refused(
                "it does not begin with postgres://; write postgres://user:password@host:5432/database"
                    .into(),
            ));
        }
        // The words of a failed parse may hold the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            refused("write postgres://user:password@host:5432/database, special characters as %xx".into())
        })?;
        let options = options
            .disable_statement_logging()
            .application_name("spine")
            .statement_cache_capacity(if prepares { STATEMENTS_MAX } else { 0 });
        Ok(Connector { options, prepares, known: MIGRATIONS })
    }

    /// Whether messages that have ended can be unsettled: not on the schema of an older program.
    pub(super) fn has_unsettled(&self) -> bool {
        self.known.len() >= UNSETTLED_SINCE
    }

    /// As a program that knows these migrations would make them.
    #[cfg(test)]
    pub(super) fn knowing(self, known: &'static [Step]) -> Connector {
        Connector { known, ..self }
    }

    /// A pool of connections.
    pub(super) fn pool(&self, connections_max: u32) -> PgPool {
        PgPoolOptions::new()
            .min_connections(0)
            .max_connections(connections_max)
            .acquire_timeout(ACQUIRE_WITHIN)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .connect_lazy_with(self.options.clone())
    }

    /// One connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, StoreError> {
        match tokio::time::timeout(ACQUIRE_WITHIN, self.options.connect()).await {
            Ok(connected) => connected.map_err(|error| fault(&error, "a connection").told()),
            Err(_) => Err(StoreError::Unavailable { detail: "it does not answer".into() }),
        }
    }

    /// Where it is, for people: no password.
    pub(super) fn place(&self) -> String {
        let options = &self.options;
        let database = options.get_database().unwrap_or_else(|| options.get_username());
        format!("{}:{}/{database}", options.get_host(), options.get_port())
    }
}

/// A connection in a transaction. Dropped before the transaction's end, it is closed, not given back.
pub(super) struct Held(Option<PoolConnection<Postgres>>);

impl Held {
    /// Takes a connection and begins: the answers of the statements, in order, are those of `sql`
    /// after the beginning.
    pub(super) async fn begin(pool: &PgPool, who: As, sql: &str) -> Result<(Held, Vec<PgRow>), Fault> {
        let conn = pool.acquire().await.map_err(|error| fault(&error, "a connection"))?;
        let mut held = Held(Some(conn));
        let rows = held.all(format!("{}{sql}", who.begin())).await?;
        Ok((held, rows))
    }

    /// The connection.
    pub(super) fn conn(&mut self) -> Result<&mut PgConnection, Fault> {
        match &mut self.0 {
            Some(conn) => Ok(conn),
            None => Err(Fault::Store(StoreError::Closing)),
        }
    }

    /// Runs statements in one round trip, and gives all rows of their answers.
    pub(super) async fn all(&mut self, sql: String) -> Result<Vec<PgRow>, Fault> {
        let conn = self.conn()?;
        let mut rows = Vec::new();
        let mut answers = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(conn);
        while let Some(answer) = answers.try_next().await.map_err(|error| fault(&error, "a row"))? {
            if let Either::Right(row) = answer {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// Ends the transaction; the connection is given back.
    pub(super) async fn commit(mut self) -> Result<(), Fault> {
        self.all("COMMIT".into()).await?;
        drop(self.0.take());
        Ok(())
    }

    /// The transaction was ended by what was run last; the connection is given back.
    pub(super) fn ended(mut self) {
        drop(self.0.take());
    }

    /// Undoes the transaction; the connection is given back if that can be done.
    pub(super) async fn rollback(mut self) {
        if self.all("ROLLBACK".into()).await.is_ok() {
            drop(self.0.take());
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            // Nobody knows what it is in the middle of.
            drop(conn.detach());
        }
    }
}
