//! What the operator does: upgrades, the beginning of the audit, a look at what is wrong.

use super::*;
use crate::model::Status;
use crate::store::conformance::{
    self, at, audit, begins, ended, id, journal, live, message, step, tenant, written,
};
use crate::store::postgres::connect::Connector;
use crate::store::postgres::health::{self, Limits};
use crate::store::postgres::install::{MIGRATIONS, Step};
use crate::store::postgres::open_beside;
use crate::store::postgres::store::open_by;
use crate::store::seal::Scope;
use crate::store::{Change, Installation as _, Late, MessageChange, MessageStep, Old, Removed, ScopeHealth};

/// A database for a program that knows these migrations.
struct Knowing {
    place: InDatabase,
    known: &'static [Step],
}

impl Knowing {
    fn new(known: &'static [Step]) -> Knowing {
        Knowing { place: InDatabase::default(), known }
    }
}

/// A node of a program that knows these migrations.
async fn node(place: &InDatabase, known: &'static [Step]) -> Result<Arc<dyn Store>, StoreError> {
    let options = place.options().await;
    let connector = Connector::of(&options.url, options.prepares)?.knowing(known);
    Ok(Arc::new(open_by(connector, options).await?) as Arc<dyn Store>)
}

impl Backend for Knowing {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(node(&self.place, self.known))
    }
    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        self.open()
    }
}

/// The schema before and after each migration: this program's code works on all of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_program_works_on_the_schema_before_and_after_each_migration() {
    for known in 1..=MIGRATIONS.len() {
        let on = || Knowing::new(&MIGRATIONS[..known]);
        conformance::what_is_committed_is_read_back(&on()).await;
        conformance::one_key_is_one_mutation(&on()).await;
        conformance::the_audit_is_a_chain(&on()).await;
        conformance::deliveries_are_tried_and_die(&on()).await;
        conformance::old_messages_go_with_all_that_is_theirs(&on()).await;
        conformance::what_is_still_to_be_delivered_stays(&on()).await;
        // The operator's commands read it as it is.
        let on = on();
        on.open().await.unwrap().registry().make_tenant(tenant(1)).await.unwrap();
        let beside = open_beside(on.place.options().await).await.unwrap();
        let found = beside.findings(at(0), false).await.unwrap();
        let older = found.iter().any(|finding| finding.name == "older-schema");
        assert_eq!(older, known < MIGRATIONS.len(), "{found:?}");
    }
}

#[test]
fn the_page_about_upgrades_has_each_migration_with_what_it_needs() {
    let page = include_str!("../../../../docs/upgrades.md");
    let rows: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| PostgreSQL | ")).collect();
    assert_eq!(rows.len(), MIGRATIONS.len(), "{rows:?}");
    for ((row, step), n) in rows.iter().zip(MIGRATIONS).zip(1..) {
        let is_told = row.starts_with(&format!("{n} | ")) && row.ends_with(&format!(" | {} |", step.needs));
        assert!(is_told, "{row}");
    }
}

static EXPANDED: &[Step] = &[
    MIGRATIONS[0],
    MIGRATIONS[1],
    MIGRATIONS[2],
    MIGRATIONS[3],
    Step { name: "colour", sql: "ALTER TABLE message ADD COLUMN colour text", needs: 1 },
];
static CONTRACTED: &[Step] = &[
    MIGRATIONS[0],
    MIGRATIONS[1],
    MIGRATIONS[2],
    MIGRATIONS[3],
    Step { name: "colour", sql: "ALTER TABLE message ADD COLUMN colour text", needs: 1 },
    Step {
        name: "no first body",
        sql: "ALTER TABLE content ALTER COLUMN first_body DROP NOT NULL",
        needs: 5,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_versions_work_side_by_side_on_an_expanded_schema_and_the_older_refuses_a_contracted_one() {
    let place = InDatabase::default();
    // From the first schema on, one version after the other, each beside those before it.
    let oldest = node(&place, &MIGRATIONS[..1]).await.unwrap();
    let scopes = oldest.registry().make_tenant(tenant(1)).await.unwrap();
    let this = node(&place, MIGRATIONS).await.unwrap();
    let newer = node(&place, EXPANDED).await.unwrap();
    let nodes = [oldest, this, newer];
    for (store, number) in nodes.iter().zip(1..) {
        let scope = store.scope(scopes[0].id).await.unwrap();
        written(&scope, begins(number)).await;
    }
    for store in &nodes {
        let scope = store.scope(scopes[0].id).await.unwrap();
        for number in 1..=3 {
            assert!(scope.message(id(number)).await.unwrap().is_some());
        }
    }
    // An older one can be started anew, and takes nothing back.
    let again = node(&place, &MIGRATIONS[..1]).await.unwrap();
    written(&again.scope(scopes[0].id).await.unwrap(), begins(4)).await;
    node(&place, CONTRACTED).await.unwrap();
    for (known, goes_on) in
        [(&MIGRATIONS[..1], false), (MIGRATIONS, false), (EXPANDED, true), (CONTRACTED, true)]
    {
        match node(&place, known).await {
            Ok(_) => assert!(goes_on, "one that knows {} steps was opened", known.len()),
            Err(error) => {
                let told = error.to_string();
                assert!(!goes_on && told.contains("to know step 5"), "{told}");
            }
        }
    }
}

/// A scope with three entries of its audit, a message on its way, and two dropped messages, the second
/// of which has a young transition.
async fn with_a_past(place: &InDatabase) -> (Arc<dyn Store>, Arc<Scope>) {
    let store = place.open().await.unwrap();
    let scopes = store.registry().make_tenant(tenant(1)).await.unwrap();
    let scope = store.scope(scopes[0].id).await.unwrap();
    let entries = |numbers: [u64; 3]| numbers.map(audit).to_vec();
    written(&scope, Change { audit: entries([1, 2, 3]), ..begins(1) }).await;
    for number in [2, 3] {
        let mut part =
            MessageChange::new(MessageStep::BeginEnded(Box::new(message(number)), ended(Status::Sent), None));
        part.journal.push(journal(1));
        if number == 3 {
            part.journal.push(crate::store::rows::JournalRow { at: at(1_000_000), ..journal(3) });
        }
        written(&scope, Change { messages: vec![part], ..Change::default() }).await;
    }
    let old = Old::Messages { ended_before: at(10), minted_before: at(10) };
    assert_eq!(scope.drop_old(old, 10).await.unwrap().dropped, 2);
    (store, scope)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_beginning_of_the_audit_is_removed_and_nothing_behind_it() {
    let place = InDatabase::default();
    let (_store, scope) = with_a_past(&place).await;
    let beside = open_beside(place.options().await).await.unwrap();
    let all = scope.audit_after(0, 10).await.unwrap();
    assert_eq!(beside.prune_audit(scope.id(), at(0)).await.unwrap(), Removed::default());
    // The entries are of the instants 1, 2 and 3.
    let removed = beside.prune_audit(scope.id(), all[2].row.entry.at).await.unwrap();
    assert_eq!(removed, Removed { entries: 2, messages: 1 });
    let left = scope.audit_after(0, 10).await.unwrap();
    assert!(left.len() == 1 && left[0].row.prev_hash == all[1].row.hash);
    let pruned = scope.pruned().await.unwrap();
    assert_eq!(pruned.audit.map(|p| (p.entries, p.hash)), Some((2, all[1].row.hash)));
    assert_eq!(pruned.journals.map(|p| p.entries), Some(1));
    assert_eq!(scope.dropped_with_journal(0, 10).await.unwrap().len(), 1, "a young transition went");
    // All of it, and the chain goes on where it was.
    assert_eq!(
        beside.prune_audit(scope.id(), at(2_000_000)).await.unwrap(),
        Removed { entries: 1, messages: 1 }
    );
    written(&scope, Change { audit: vec![audit(4)], ..Change::default() }).await;
    let next = scope.audit_after(0, 10).await.unwrap();
    assert!(next.len() == 1 && next[0].n == 4 && next[0].row.prev_hash == all[2].row.hash);

    // Whoever tries by hand finds the way shut: behind that place, of a message that is there, and back.
    let bound = format!("SET ROLE spine_owner; SET spine.scope = '{}'; ", scope.id());
    for sql in [
        "DELETE FROM spine.audit WHERE n = 4",
        "DELETE FROM spine.journal",
        "UPDATE spine.pruned SET n = 0 WHERE chain = 0",
        "DELETE FROM spine.pruned",
        "UPDATE spine.audit SET who = 'x'",
    ] {
        let mut conn = place.database().await.connect().await;
        let tried = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{bound}{sql}"))).execute(&mut conn).await;
        let told = tried.unwrap_err().to_string();
        assert!(told.contains("only added to") || told.contains("does not go back"), "{sql}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_rows_and_nodes_is_found() {
    let place = InDatabase::default();
    let store = place.open().await.unwrap();
    let scopes = store.registry().make_tenant(tenant(1)).await.unwrap();
    let scope = store.scope(scopes[0].id).await.unwrap();
    written(&scope, step(MessageStep::Begin(Box::new(message(1)), live(Status::Queued, Some(60_000))))).await;
    written(&scope, step(MessageStep::BeginEnded(Box::new(message(2)), ended(Status::Sent), None))).await;
    let database = place.database().await;
    let beside = open_beside(place.options().await).await.unwrap();
    let look = async |now: i64| beside.health(scope.id(), at(now), 1_000).await.unwrap().unwrap();
    let well = ScopeHealth { live: 1, ..ScopeHealth::default() };
    assert_eq!(look(0).await, well);
    assert_eq!(look(65_000).await, ScopeHealth { overdue: Late { count: 1, by_ms: 5_000 }, ..well.clone() });

    // What an administrator did, and what is counted then: both, neither, stuck, of no message, orphaned.
    let cases: &[(&str, [u64; 5])] = &[
        (
            "INSERT INTO spine.ended SELECT scope, n, owner, 2, 5, version, state FROM spine.live",
            [1, 0, 0, 0, 0],
        ),
        ("DELETE FROM spine.ended WHERE n IN (SELECT n FROM spine.live)", [0, 0, 0, 0, 0]),
        ("UPDATE spine.live SET due_at = NULL", [0, 0, 1, 0, 0]),
        ("DELETE FROM spine.live", [0, 1, 0, 0, 0]),
        (
            "INSERT INTO spine.live(scope, n, owner, status, due_at, version, state) SELECT scope, min(n), 99, 0, 5, 1, '' \
          FROM spine.message GROUP BY scope",
            [0, 0, 0, 0, 1],
        ),
        ("DELETE FROM spine.message WHERE n = (SELECT max(n) FROM spine.message)", [0, 0, 0, 2, 1]),
    ];
    for (sql, wanted) in cases {
        database.run(sql).await;
        let found = look(0).await;
        let counts =
            [found.both.count, found.neither.count, found.stuck.count, found.without_message, found.orphaned];
        assert_eq!(counts, *wanted, "{sql}: {found:?}");
    }

    let names = async || -> Vec<&'static str> {
        let found = beside.findings(at(0), false).await.unwrap();
        found.iter().map(|finding| finding.name).filter(|name| *name != "setting").collect()
    };
    assert_eq!(names().await, [""; 0], "of a node that is well");
    database.run("UPDATE spine.node SET lease_until = clock_timestamp() - interval '1 minute'").await;
    assert_eq!(names().await, ["expired-lease", "no-node"]);
    database.run("UPDATE spine.node SET ended_at = clock_timestamp()").await;
    assert_eq!(names().await, ["no-node"]);
}

/// Limits that nothing passes, to which a test gives the one that it is about.
const NONE_PASSED: Limits = Limits {
    dead_rows_max: i64::MAX,
    dead_share_max: 0.0,
    open_s_max: f64::MAX,
    view_age_max: i64::MAX,
    news_share_max: 1.0,
    slot_bytes_max: i64::MAX,
};

/// What is found about a server beside its settings: names, and the places that they are about.
async fn found(place: &InDatabase, limits: Limits) -> Vec<(&'static str, String)> {
    let options = place.options().await;
    let mut conn = Connector::of(&options.url, options.prepares).unwrap().connect().await.unwrap();
    let steps = (MIGRATIONS.len(), MIGRATIONS.len());
    let found = health::database(&mut conn, steps, limits).await.unwrap();
    sqlx::Connection::close(conn).await.unwrap();
    found.into_iter().filter(|found| found.name != "setting").map(|found| (found.name, found.place)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_the_server_is_found() {
    let place = InDatabase::default();
    let store = place.open().await.unwrap();
    store.registry().make_tenant(tenant(1)).await.unwrap();
    let database = place.database().await;
    assert_eq!(found(&place, NONE_PASSED).await, []);

    // A session of the program's own role, since those of others show nothing of themselves to it.
    let mut open = database.connect().await;
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").persistent(false).fetch_one(&mut open).await.unwrap();
    let long = Limits { open_s_max: 0.0, ..NONE_PASSED };
    let of_it = async || {
        let found = found(&place, long).await;
        found.into_iter().any(|(name, place)| name == "long-transaction" && place.contains(&pid.to_string()))
    };
    assert!(!of_it().await, "it has none");
    sqlx::raw_sql("BEGIN; LISTEN somebody").execute(&mut open).await.unwrap();
    assert!(of_it().await);

    // Who listens inside a transaction reads nothing, and what it was told stays in the queue.
    sqlx::raw_sql("COMMIT; BEGIN").execute(&mut open).await.unwrap();
    let lag = Limits { news_share_max: 0.0, ..NONE_PASSED };
    for letter in ["a", "b", "c", "d"] {
        database.run(&format!("SELECT pg_notify('somebody', repeat('{letter}', 7000))")).await;
    }
    let queue = ("listener-lag", "the queue of notifications".to_owned());
    assert_eq!(found(&place, lag).await, [queue]);
    sqlx::Connection::close(open).await.unwrap();

    let dead = Limits { dead_rows_max: 0, ..NONE_PASSED };
    let tenant = ("dead-rows", "tenant".to_owned());
    // A session that ends has its counts written at its end, and is not waited for.
    let mut tries = 0;
    while !found(&place, dead).await.contains(&tenant) {
        tries += 1;
        assert!(tries < 1_000, "no dead rows are found");
        database.run("UPDATE spine.tenant SET name = name").await;
    }

    // A slot is the whole server's.
    let slot = database.name.clone();
    database.run(&format!("SELECT pg_create_physical_replication_slot('{slot}', true)")).await;
    let slots = Limits { slot_bytes_max: -1, ..NONE_PASSED };
    let kept = found(&place, slots).await;
    database.run(&format!("SELECT pg_drop_replication_slot('{slot}')")).await;
    assert!(kept.contains(&("replication-slot", slot.clone())), "{kept:?}");
    assert!(!found(&place, slots).await.contains(&("replication-slot", slot)));
}
