//! What only this back end does: files, locks, and SQLite's own bad days.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sqlx::{Connection as _, Row as _};
use tempfile::TempDir;

use super::connect;
use super::migrate;
use super::scope::SqliteScope;
use super::{Options, SqliteStore, open, open_registry};
use crate::model::{ScopeId, Status};
use crate::store::conformance::{
    Backend, at, begins, conflicts, conformance, id, kept, key, live, message, newest, retention_conformance,
    scope, step, stored, tenant, written,
};
use crate::store::open::Opened as _;
use crate::store::rows::SubjectId;
use crate::store::seal::Randomness;
use crate::store::{Answer, Change, MessageStep, RegistryChange, ScopeRows as _, Store, StoreError};

/// Bytes that anybody could guess, never the same twice.
#[derive(Default)]
struct Seeded(AtomicU64);

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        for chunk in bytes.chunks_mut(8) {
            let mut mixed = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(mixed ^ (mixed >> 31)).to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

struct InFolder {
    folder: TempDir,
    random: Arc<Seeded>,
    copies: AtomicU32,
}

impl InFolder {
    fn new() -> InFolder {
        InFolder { folder: TempDir::new().unwrap(), random: Arc::default(), copies: AtomicU32::new(0) }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn options(&self, folder: PathBuf) -> Options {
        Options {
            folder,
            master_key: None,
            now: at(0),
            random: Arc::clone(&self.random) as Arc<dyn Randomness>,
        }
    }

    async fn open(&self) -> Result<SqliteStore, StoreError> {
        open(self.options(self.data())).await
    }

    async fn refusal(&self) -> StoreError {
        match self.open().await {
            Ok(_) => panic!("was opened"),
            Err(error) => error,
        }
    }
}

impl Backend for InFolder {
    fn open(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async { Ok(Arc::new(self.open().await?) as Arc<dyn Store>) })
    }

    /// The files as they are at this moment, log and all.
    fn open_after_crash(&self) -> Answer<'_, Arc<dyn Store>> {
        Box::pin(async {
            let number = self.copies.fetch_add(1, Ordering::Relaxed);
            let copy = self.folder.path().join(format!("copy-{number}"));
            copy_folder(&self.data(), &copy);
            Ok(Arc::new(open(self.options(copy)).await?) as Arc<dyn Store>)
        })
    }
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

conformance!(InFolder::new());
retention_conformance!(InFolder::new());

async fn database(path: &Path, sql: &'static str) {
    let mut conn =
        sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", path.display())).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_folder() {
    let place = InFolder::new();
    let store = place.open().await.unwrap();
    match place.refusal().await {
        StoreError::Locked { holder, .. } => {
            assert!(holder.starts_with(&format!("process {} on ", std::process::id())), "{holder}");
            assert!(holder.contains("started 2026-01-05T12:00:00.000Z"), "{holder}");
        }
        other => panic!("{other}"),
    }
    store.close().await.unwrap();
    drop(store);
    place.open().await.unwrap();
}

#[tokio::test]
async fn a_strange_folder_is_left_alone() {
    let place = InFolder::new();
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(place.data().join("thesis.txt"), "mine").unwrap();
    assert!(matches!(place.refusal().await, StoreError::Foreign { .. }));
    assert_eq!(std::fs::read_dir(place.data()).unwrap().count(), 1, "something was written into it");

    let place = InFolder::new();
    std::fs::write(place.data(), "a file").unwrap();
    assert!(matches!(place.refusal().await, StoreError::Foreign { .. }));

    for (file, text) in [("registry.db", "not a database at all"), ("registry.db", "short")] {
        let place = InFolder::new();
        std::fs::create_dir(place.data()).unwrap();
        std::fs::write(place.data().join(file), text).unwrap();
        assert!(matches!(place.refusal().await, StoreError::Foreign { .. }));
        assert_eq!(std::fs::read_to_string(place.data().join(file)).unwrap(), text);
    }

    let place = InFolder::new();
    std::fs::create_dir(place.data()).unwrap();
    database(&place.data().join("registry.db"), "CREATE TABLE theirs (x)").await;
    assert!(matches!(place.refusal().await, StoreError::Foreign { .. }));
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = InFolder::new();
    let (store, scope) = scope(&place).await;
    let scope_id = scope.id();
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let file = place.data().join(format!("scopes/{scope_id}.db"));
    database(&file, "PRAGMA user_version = 99; UPDATE schema SET needs = 99").await;
    let store = place.open().await.unwrap();
    let Err(error) = store.scope(scope_id).await else { panic!("was opened") };
    assert!(matches!(error, StoreError::NewerSchema { found: 99, known: 3, .. }), "{error}");
    // The other scope of the tenant is not touched by that.
    let other = store.registry().scopes().await.unwrap().iter().find(|row| row.id != scope_id).unwrap().id;
    assert!(store.scope(other).await.is_ok());
    store.close().await.unwrap();
    drop(store);
    database(&place.data().join("registry.db"), "PRAGMA user_version = 99; UPDATE schema SET needs = 99")
        .await;
    assert!(matches!(place.refusal().await, StoreError::NewerSchema { .. }));
}

#[tokio::test]
async fn a_scope_under_another_name_is_refused() {
    let place = InFolder::new();
    let path = place.folder.path().join("1.db");
    SqliteScope::open(&path, ScopeId(1)).await.unwrap().close().await.unwrap();
    let Err(error) = SqliteScope::open(&path, ScopeId(2)).await else { panic!("was opened") };
    assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
}

#[tokio::test]
async fn a_master_key_that_does_not_fit_stops_the_start() {
    let place = InFolder::new();
    let (store, scope) = scope(&place).await;
    drop(scope);
    store.close().await.unwrap();
    drop(store);
    let with = |key: &str| Options { master_key: Some(key.into()), ..place.options(place.data()) };
    for wrong in ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "AAAA", "not base64"] {
        assert!(matches!(open(with(wrong)).await, Err(StoreError::MasterKey(_))));
    }
    let file = place.data().join("master.key");
    let right = std::fs::read_to_string(&file).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // The variable wins over the file; without either, nothing is made anew.
    open(with(&right)).await.unwrap().close().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(place.refusal().await, StoreError::MasterKey(_)));
    assert!(!file.exists());
}

#[tokio::test]
async fn a_key_made_or_revoked_by_another_process_counts_at_the_next_request() {
    let place = InFolder::new();
    let (store, scope) = scope(&place).await;
    let beside = open_registry(place.options(place.data())).await.unwrap();
    assert!(store.registry().key_by_hash([1; 32]).await.unwrap().is_none());
    let keys = vec![key(1, scope.id())];
    beside.commit(RegistryChange { keys, ..Default::default() }).await.unwrap();
    for _ in 0..3 {
        let found = store.registry().key_by_hash([1; 32]).await.unwrap().unwrap();
        assert_eq!(found.revoked_at, None);
    }
    let keys_revoked = vec![(id(1), scope.id(), at(3))];
    beside.commit(RegistryChange { keys_revoked, ..Default::default() }).await.unwrap();
    let found = store.registry().key_by_hash([1; 32]).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(at(3)));
    // A tenant as well.
    beside.make_tenant(tenant(2)).await.unwrap();
    assert_eq!(store.registry().scopes().await.unwrap().len(), 4);
}

async fn lone_scope(place: &InFolder) -> SqliteScope {
    SqliteScope::open(&place.folder.path().join("1.db"), ScopeId(1)).await.unwrap()
}

fn large(number: u64) -> Change {
    let mut row = message(number);
    row.doc = vec![7; 20_000];
    step(MessageStep::Begin(Box::new(row), live(Status::Queued, None)))
}

#[tokio::test]
async fn a_full_disk_is_told_and_then_goes_on() {
    let place = InFolder::new();
    let scope = lone_scope(&place).await;
    scope.commit(large(1)).await.unwrap();
    scope.writer().unwrap().run("PRAGMA max_page_count = 80").await.unwrap();
    let mut full = 0;
    for number in 2..40 {
        match scope.commit(Change { keep: Some(kept(number as u8, 1)), ..large(number) }).await {
            Ok(_) => {}
            Err(StoreError::Full) => {
                full += 1;
                assert!(scope.message(id(number)).await.unwrap().is_none());
                assert!(scope.idempotency(kept(number as u8, 1).key).await.unwrap().is_none());
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(full > 20, "the disk did not become full");
    assert!(!scope.has_failed());
    scope.writer().unwrap().run("PRAGMA max_page_count = 100000").await.unwrap();
    // The same ones go through now.
    for number in 30..40 {
        scope.commit(Change { keep: Some(kept(number as u8, 1)), ..large(number) }).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_the_disk_refuses_is_final() {
    let place = InFolder::new();
    let scope = lone_scope(&place).await;
    scope.commit(begins(1)).await.unwrap();
    scope.writer().unwrap().run("PRAGMA query_only = ON").await.unwrap();
    assert!(matches!(scope.commit(begins(2)).await, Err(StoreError::Failed { .. })));
    scope.writer().unwrap().run("PRAGMA query_only = OFF").await.unwrap();
    // Though it would go through now, nobody knows what is on the disk.
    assert!(matches!(scope.commit(begins(3)).await, Err(StoreError::Failed { .. })));
    assert!(scope.has_failed());
    assert!(scope.message(id(1)).await.unwrap().is_some(), "reading goes on");
}

#[tokio::test]
async fn audit_and_journal_are_only_added_to() {
    let place = InFolder::new();
    let scope = lone_scope(&place).await;
    let audit = crate::store::conformance::audit(1);
    scope.commit(Change { audit: vec![audit], ..begins(1) }).await.unwrap();
    for sql in
        ["UPDATE journal SET at = 0", "DELETE FROM journal", "UPDATE audit SET at = 0", "DELETE FROM audit"]
    {
        assert!(scope.writer().unwrap().run(sql).await.is_err(), "{sql} went through");
    }
}

#[tokio::test]
async fn an_erased_key_is_in_no_file() {
    let place = InFolder::new();
    let (store, scope) = scope(&place).await;
    // Many subjects in many commits, so that pages have split and rows could have moved.
    let ids: Vec<SubjectId> = (0..3_000_u32)
        .map(|n| SubjectId((u128::from(n.wrapping_mul(2_654_435_761)) << 64 | 0xabcd).to_be_bytes()))
        .collect();
    for chunk in ids.chunks(50) {
        let keys = scope.subject_keys(chunk).await.unwrap();
        let mut change = Change::default();
        for key in &keys {
            key.keep_in(&mut change);
        }
        written(&scope, change).await;
    }
    let victims: Vec<SubjectId> = ids.iter().copied().step_by(97).collect();
    let stored_keys = scope.subjects(&victims).await.unwrap();
    assert_eq!(stored_keys.len(), victims.len());
    let survivor = scope.subjects(&ids[1..2]).await.unwrap().remove(0).1;
    let key = scope.subject_key(victims[0]).await.unwrap();
    let mut row = message(1);
    row.doc = scope.seal(&key, b"doc", b"+4915112345678 Erika Mustermann").unwrap();
    written(&scope, step(MessageStep::Begin(Box::new(row), live(Status::Queued, None)))).await;
    drop(key);

    let files = || -> Vec<(PathBuf, Vec<u8>)> {
        let folder = place.data().join("scopes");
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect()
    };
    let holds = |needle: &[u8]| {
        files().iter().any(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
    };
    assert!(holds(&stored_keys[0].1), "the test looks in the wrong place");
    assert!(!holds(b"Mustermann"));
    written(&scope, Change { erased: victims.clone(), ..Change::default() }).await;
    let log = place.data().join(format!("scopes/{}.db-wal", scope.id()));
    assert_eq!(std::fs::metadata(log).unwrap().len(), 0, "the log was not emptied");
    for (id, sealed) in &stored_keys {
        assert!(!holds(sealed) && !holds(&sealed[24..56]), "a key is still there");
        assert!(!holds(&id.0), "the subject is still named");
    }
    assert!(holds(&survivor));
    assert!(stored(&scope, 1).await.n > 0);
    conflicts(&scope, Change { subjects: vec![(ids[1], vec![0; 72])], ..Change::default() }).await;
    drop(scope);
    store.close().await.unwrap();
    assert!(!holds(&stored_keys[0].1));
}

#[tokio::test]
async fn the_writer_syncs_every_commit() {
    let place = InFolder::new();
    let path = place.folder.path().join("x.db");
    let mut conn = connect::open_writer(&path, &migrate::SCOPE).await.unwrap();
    let pragma = async |conn: &mut sqlx::SqliteConnection, name: &str| -> String {
        let sql = sqlx::AssertSqlSafe(format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"));
        sqlx::query(sql).fetch_one(conn).await.unwrap().get(0)
    };
    for (name, value) in
        [("synchronous", "2"), ("journal_mode", "wal"), ("page_size", "4096"), ("foreign_keys", "0")]
    {
        assert_eq!(pragma(&mut conn, name).await, value, "{name}");
    }
}

#[tokio::test]
async fn no_statement_of_the_hot_path_reads_a_whole_table() {
    let place = InFolder::new();
    let path = place.folder.path().join("x.db");
    let mut conn = connect::open_writer(&path, &migrate::SCOPE).await.unwrap();
    for sql in super::encode::texts() {
        let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        for row in sqlx::query(plan).fetch_all(&mut conn).await.unwrap() {
            let step: String = row.get(3);
            let scans = ["message", "live", "ended", "delivery", "idempotency", "lookup"];
            assert!(
                !scans.iter().any(|table| step.starts_with(&format!("SCAN {table}")))
                    && !step.contains("AUTOMATIC"),
                "{step}: {sql}"
            );
        }
    }
    conn.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_is_written_back_beside_the_writer() {
    let place = InFolder::new();
    let scope = lone_scope(&place).await;
    let log = place.folder.path().join("1.db-wal");
    let mut longest = 0;
    for round in 0..60 {
        let changes = (0..100).map(|number| scope.commit(large(1 + round * 100 + number)));
        for answer in futures_util::future::join_all(changes).await {
            answer.unwrap();
        }
        longest = longest.max(std::fs::metadata(&log).unwrap().len());
    }
    // 120 MB went through it; alone, the writer would have let it grow to 80.
    assert!(longest < 75 << 20, "the log grew to {longest} bytes");
    let messages = scope.messages(Default::default(), newest(100)).await.unwrap();
    assert_eq!(messages.rows.len(), 100);
    scope.close().await.unwrap();
    assert!(!log.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_scope_merges_its_lookups() {
    let place = InFolder::new();
    let scope = lone_scope(&place).await;
    let keyed = |number: u64| {
        let mut kept = kept(0, 0);
        kept.key = crate::store::rows::IdempotencyKey(u128::from(number).to_le_bytes());
        scope.commit(Change::keeping(kept))
    };
    for answer in futures_util::future::join_all((1..=4_500).map(keyed)).await {
        answer.unwrap();
    }
    let merged = async || -> i64 {
        let path = place.folder.path().join("1.db");
        let mut conn = sqlx::ConnectOptions::connect(&connect::reading(&path)).await.unwrap();
        let count = sqlx::query("SELECT count(*) FROM lookup").fetch_one(&mut conn).await.unwrap().get(0);
        conn.close().await.unwrap();
        count
    };
    scope.tidy(at(0)).await.unwrap();
    assert_eq!(merged().await, 0, "it was not idle");
    scope.tidy(at(1)).await.unwrap();
    // It goes on by itself, a part at a time, and lets others in between.
    for _ in 0..6 {
        scope.writer().unwrap().run("SELECT 1").await.unwrap();
    }
    assert_eq!(merged().await, 4_500);
    assert!(scope.commit(Change::keeping(kept(0, 1))).await.is_ok());
    let again = Change::keeping(crate::store::rows::Kept {
        key: crate::store::rows::IdempotencyKey(77_u128.to_le_bytes()),
        ..kept(0, 1)
    });
    assert!(scope.commit(again).await.unwrap().applied().is_none(), "a merged key was taken again");
}

/// What wakes a scope again is read once nothing more is taken, so that it knows of all that was.
#[tokio::test]
async fn what_is_written_while_the_store_closes_is_known_when_it_is_opened_again() {
    let place = InFolder::new();
    let (store, scope) = scope(&place).await;
    let scope_id = scope.id();
    let (some, enough) = tokio::sync::oneshot::channel();
    // Each is due before the last.
    let sending = tokio::spawn(async move {
        let mut some = Some(some);
        let mut earliest = None;
        for number in 1..=10_000_u64 {
            let due = 1_000_000 - number.cast_signed();
            let begin = MessageStep::Begin(Box::new(message(number)), live(Status::Queued, Some(due)));
            match scope.commit(step(begin)).await {
                Ok(_) => earliest = Some(at(due)),
                Err(error) => {
                    assert!(matches!(error, StoreError::Closing), "{error}");
                    return earliest;
                }
            }
            if number == 10
                && let Some(some) = some.take()
            {
                some.send(()).unwrap();
            }
        }
        panic!("it was never closed")
    });
    enough.await.unwrap();
    store.close().await.unwrap();
    let earliest = sending.await.unwrap();
    drop(store);
    let store = place.open().await.unwrap();
    assert_eq!(store.registry().scope(scope_id).await.unwrap().unwrap().wake_at, earliest);
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = InFolder::new();
    let _store = place.open().await.unwrap();
    for folder in [place.data(), place.data().join("scopes")] {
        assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
