//! A real PostgreSQL as several nodes share it, its clock in the test's hand.
//!
//! The store asks the database for the time, `clock_timestamp()`, and never brings its own. So in the
//! database of a test that function is another one, which shows what the test says: every statement of
//! the store runs as it is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex as StdMutex};

use spine::model::{Instant, ScopeId, Span};
use spine::store::postgres::{self, Options};
use spine::store::seal::SystemRandom;
use spine::store::{NodeId, Store};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tokio::sync::{Mutex, watch};

use super::time::Holds;
use super::wire::Wire;
use crate::postgres::cluster::{Database, cluster};

/// What a test's database is before the program comes to it. Who may not write is asked too.
const OWN_CLOCK: &str = "SET allow_system_table_mods = on;
CREATE SCHEMA tests;
GRANT USAGE ON SCHEMA tests TO PUBLIC;
CREATE TABLE tests.clock (at timestamptz NOT NULL);
GRANT SELECT ON tests.clock TO PUBLIC;
INSERT INTO tests.clock VALUES ('epoch');
ALTER FUNCTION pg_catalog.clock_timestamp() RENAME TO clock_timestamp_of_the_server;
CREATE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS 'SELECT at FROM tests.clock';";

/// Connections that write and read: the tests run beside each other on one server.
const CONNECTIONS_MAX: (u32, u32) = (4, 4);

pub(super) struct RealStore {
    database: Database,
    /// As somebody who may see everything.
    admin: Mutex<PgConnection>,
    written: watch::Sender<u64>,
    wires: StdMutex<Wires>,
}

#[derive(Default)]
struct Wires {
    /// Laid, and no node at it yet.
    next: Option<Wire>,
    of: BTreeMap<NodeId, Wire>,
}

impl RealStore {
    pub(super) async fn new(start: Instant, written: watch::Sender<u64>) -> RealStore {
        let database = cluster().database().await;
        database.run(OWN_CLOCK).await;
        let admin = Mutex::new(database.admin().await);
        let store = RealStore { database, admin, written, wires: StdMutex::default() };
        store.set_clock(start).await;
        store
    }

    pub(super) async fn lay_wire(&self) {
        let wire = Wire::to(self.database.cluster.port(), self.written.clone()).await;
        self.wires.lock().unwrap().next = Some(wire);
    }

    pub(super) async fn node(&self, name: &str, lease: Span) -> Arc<dyn Store> {
        let wire = self.wires.lock().unwrap().next.take();
        let wire = match wire {
            Some(wire) => wire,
            None => Wire::to(self.database.cluster.port(), self.written.clone()).await,
        };
        let url = self.database.url_through(wire.port);
        let random = Arc::new(SystemRandom::new());
        let options = Options::new(url, Some(super::MASTER.to_owned()), random);
        let options =
            Options { node_name: name.to_owned(), lease, connections_max: CONNECTIONS_MAX, ..options };
        let store: Arc<dyn Store> = Arc::new(postgres::open(options).await.unwrap());
        wire.until_listens().await;
        self.wires.lock().unwrap().of.insert(store.nodes().me(), wire);
        store
    }

    pub(super) async fn set_clock(&self, at: Instant) {
        let sql = format!("UPDATE tests.clock SET at = to_timestamp({}::numeric / 1000)", at.ms());
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *self.admin.lock().await).await.unwrap();
    }

    async fn rows(&self, sql: String) -> Vec<sqlx::postgres::PgRow> {
        sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *self.admin.lock().await).await.unwrap()
    }

    pub(super) async fn alive(&self, at: Instant) -> Vec<NodeId> {
        let sql = format!(
            "SELECT n FROM spine.node WHERE ended_at IS NULL AND lease_until > to_timestamp({}::numeric / 1000)",
            at.ms()
        );
        self.rows(sql).await.iter().map(|row| NodeId(row.get(0))).collect()
    }

    pub(super) async fn count(&self, table: &str, scope: ScopeId) -> usize {
        let rows = self.rows(format!("SELECT count(*) FROM spine.{table} WHERE scope = {}", scope.0)).await;
        usize::try_from(rows[0].get::<i64, _>(0)).unwrap()
    }

    pub(super) async fn used(&self, scope: ScopeId, name: &str) -> Option<(u64, u64)> {
        // Rows are added and folded later; a place is held whichever day it is.
        let sql = format!(
            "SELECT coalesce(sum(add) FILTER (WHERE win = 0), 0)::int8, \
                    coalesce(sum(add) FILTER (WHERE win = 2), 0)::int8, count(*) \
             FROM spine.usage WHERE scope = {} AND name = '{name}'",
            scope.0
        );
        let row = &self.rows(sql).await[0];
        let number = |place: usize| u64::try_from(row.get::<i64, _>(place)).unwrap();
        (number(2) > 0).then(|| (number(0), number(1)))
    }

    pub(super) async fn claims(&self, scope: ScopeId) -> BTreeMap<String, NodeId> {
        let rows = self.rows(format!("SELECT name, node FROM spine.claim WHERE scope = {}", scope.0)).await;
        rows.iter().map(|row| (row.get(0), NodeId(row.get(1)))).collect()
    }

    fn at_wire<T>(&self, node: NodeId, what: impl FnOnce(&Wire) -> T) -> T {
        what(&self.wires.lock().unwrap().of[&node])
    }

    pub(super) fn hold(&self, node: NodeId, what: Holds, passing: usize) {
        self.at_wire(node, |wire| wire.hold(what, passing));
    }

    pub(super) fn is_held(&self, node: NodeId) -> bool {
        self.at_wire(node, Wire::is_held)
    }

    pub(super) fn end_hold(&self, node: NodeId, goes_on: bool) {
        self.at_wire(node, |wire| wire.end_hold(goes_on));
    }
}
