//! Power cuts: one run of the program over a disk that remembers, and what would have been left of it
//! after a cut at any of very many points.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spine::api::conventions::idempotency::hash_of_key;
use spine::cli::{Node, NodeSettings};
use spine::model::{Id, kinds};
use spine::store::rows::{IdempotencyKey, KeptAnswer};
use spine::store::{Store as _, StoreError};
use sqlx::{Connection as _, Row as _, SqliteConnection};

use super::disk::{Dice, Left, Model};
use super::gateway::Gateway;
use super::load::{Answered, Book, Tenant};
use super::log::{self, Happened};
use super::server::{Answer, Place, ask_at, kill, open_store_of, terminate};
use super::shim::Of;

/// From how many pages on a log is written back, so that a short run has many such moments.
const LOG_PAGES: u32 = 150;
/// How many answers are asked for again after each cut.
const ASKED_AGAIN: usize = 12;

/// How many cuts, and how they are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) cuts: u64,
    /// Where they are, and what they leave, follows from it.
    pub(crate) seed: u64,
    /// After each so many cuts the program is served from what is left, and asked again.
    pub(crate) asked_each: u64,
}

/// How the store makes a commit durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syncing {
    /// As it is.
    Full,
    /// As it is not, to see that these tests would notice.
    Normal,
}

/// A run that was remembered.
pub(crate) struct Recording {
    root: PathBuf,
    log: Vec<u8>,
    happened: Vec<Happened>,
    key: String,
    /// From which position on the key was there.
    key_by: u64,
    book: Book,
    /// What was made before the messages: its request, its body, its answer.
    made: Vec<(&'static str, &'static str, Value, Answered)>,
    /// A person who was erased: from which position on that was asked for, and from which it was done.
    erased: Option<(String, u64, u64)>,
}

impl Recording {
    /// Runs the program under load, stops it, kills it, and goes on, on an empty folder.
    pub(crate) async fn make(syncing: Syncing, messages: u32) -> Recording {
        let mut place = Place::on_own_disk();
        place.settings.push(("SPINE_TEST_LOG_PAGES", LOG_PAGES.to_string()));
        if syncing == Syncing::Normal {
            place.settings.push(("SPINE_TEST_SYNCHRONOUS", "normal".to_owned()));
        }
        let gateway = Gateway::start(&place).await;
        let (tenant, mut child) = Tenant::new(&place, &gateway).await;
        let key_by = place.disk().position();
        let ask = async |request, name, body: Option<&Value>| {
            let answer = place.ask(&tenant.key, request, Some(name), body).await.unwrap();
            assert!(answer.status < 300, "{}", String::from_utf8_lossy(&answer.body));
            Answered { body: answer.body, by: place.disk().position() }
        };
        let person = json!({"name": "Ada", "addresses": {"sms": "+4366412340000"}});
        let person: Value =
            serde_json::from_slice(&ask("POST /contacts", "contact", Some(&person)).await.body).unwrap();
        let policy = json!({"source": "policy first { sms then email after 1h }"});
        let answered = ask("POST /policies", "policy", Some(&policy)).await;
        let made = vec![("POST /policies", "policy", policy, answered)];
        tenant.sends(&place, messages / 2).await;
        assert!(terminate(&mut child).await, "a clean stop");
        let mut child = place.serve(None).await.unwrap();
        tenant.sends(&place, messages / 4).await;
        kill(&mut child).await;
        let mut child = place.serve(None).await.unwrap();
        tenant.sends(&place, messages / 4).await;
        let (path, begun) =
            (format!("/contacts/{}", person["id"].as_str().unwrap()), place.disk().position());
        let done = ask(&format!("DELETE {path}"), "erase", None).await.by;
        let erased = (format!("GET {path}"), begun, done);
        assert!(terminate(&mut child).await, "a clean stop");

        Recording { made, erased: Some(erased), ..Recording::of(&place, tenant, key_by) }
    }

    /// Runs the program under load until a sync of a checkpoint fails, and a little longer.
    pub(crate) async fn with_a_failed_checkpoint() -> Recording {
        let mut place = Place::on_own_disk();
        place.settings.push(("SPINE_TEST_LOG_PAGES", "60".to_owned()));
        let gateway = Gateway::start(&place).await;
        let (tenant, mut child) = Tenant::new(&place, &gateway).await;
        let key_by = place.disk().position();
        // After the fault nothing more is taken, so these are what is certainly acknowledged.
        tenant.sends(&place, 72).await;
        place.disk().fails(1, Of::Scopes);
        while place.disk().failed() == 0 {
            tenant.sends(&place, 12).await;
        }
        tenant.sends(&place, 60).await;
        let _ = terminate(&mut child).await;
        Recording::of(&place, tenant, key_by)
    }

    fn of(place: &Place, tenant: Tenant, key_by: u64) -> Recording {
        let log = place.disk().log();
        let happened = log::read(&log);
        let Tenant { key, book, .. } = tenant;
        let (root, book) = (place.disk().root().to_owned(), book.into_inner().unwrap());
        Recording { root, log, happened, key, key_by, book, made: Vec::new(), erased: None }
    }

    /// Cuts at the end alone, where each seed leaves something else of what a failed sync was to write.
    pub(crate) async fn cuts_at_the_end(&self, seeds: u64) -> Table {
        let mut table = Table::default();
        for seed in 0..seeds {
            let mut model = Model::new(&self.log, &self.root, seed);
            self.happened.iter().for_each(|happened| model.follow(happened));
            let files = model.after_cut(Left::Nothing, seed);
            let found = self.look(&files, self.log.len() as u64, false, &mut Dice::new(seed)).await;
            table.add(Left::Nothing, seed, found);
        }
        table
    }

    /// Makes many cuts, spread over the run, and looks at what each left. `told` hears of each.
    pub(crate) async fn cuts(&self, plan: Plan, mut told: impl FnMut(u64)) -> Table {
        let Plan { cuts, seed, asked_each } = plan;
        let mut table = Table::default();
        let mut model = Model::new(&self.log, &self.root, seed);
        let mut followed = 0;
        let steps = self.happened.len() as u64;
        for cut in 0..cuts {
            let mut dice = Dice::new(seed ^ cut.wrapping_mul(0x51af_d7ed_558c_cd01));
            // In each part of the run one, somewhere in it.
            let (from, to) = (steps * cut / cuts, steps * (cut + 1) / cuts);
            let at = usize::try_from(from + dice.below(to - from)).unwrap();
            while followed <= at {
                model.follow(&self.happened[followed]);
                followed += 1;
            }
            let left = Left::ALL[usize::try_from(cut).unwrap() % Left::ALL.len()];
            let by = self.happened[at].by;
            // Not by the same number as what is left, so that in time each meets each.
            let asks = cut / Left::ALL.len() as u64 % asked_each == cut % asked_each;
            let found = self.look(&model.after_cut(left, dice.next()), by, asks, &mut dice).await;
            table.add(left, cut, found);
            told(cut + 1);
        }
        table
    }

    /// Puts a folder where a cut has left it, and looks at it with the program itself.
    async fn look(
        &self,
        files: &BTreeMap<PathBuf, Option<Vec<u8>>>,
        by: u64,
        asks: bool,
        dice: &mut Dice,
    ) -> Found {
        let home = tempfile::Builder::new().prefix("cut").tempdir_in(fast_folder()).unwrap();
        for (path, bytes) in files {
            let path = home.path().join(path.strip_prefix(&self.root).unwrap());
            match bytes {
                None => std::fs::create_dir_all(&path).unwrap(),
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            }
            // What stood in shared memory is anything, or nothing.
            if path.extension().is_some_and(|ending| ending == "db") && dice.toss() {
                let bytes: Vec<u8> = (0..32_768 / 8).flat_map(|_| dice.next().to_ne_bytes()).collect();
                std::fs::write(path.with_extension("db-shm"), bytes).unwrap();
            }
        }
        let data = home.path().join("data");
        let mut found = Found { acknowledged: self.acknowledged(by).count() as u64, ..Found::default() };
        if let Err(fault) = self.rows_are_whole(&data, by, &mut found).await {
            found.faults.push(fault);
            return found;
        }
        if asks && by >= self.key_by {
            found.asked = 1;
            self.the_same_is_answered(&data, by, dice, &mut found).await;
        }
        found
    }

    /// The messages that were acknowledged before a position.
    fn acknowledged(&self, by: u64) -> impl Iterator<Item = (&String, &Answered)> {
        self.book.answers.iter().filter(move |(_, answered)| answered.by <= by)
    }

    /// Opens the store and checks every row: what was acknowledged is there, and nothing is half there.
    async fn rows_are_whole(&self, data: &Path, by: u64, found: &mut Found) -> Result<(), String> {
        let store = open_store_of(data).await.map_err(|error| format!("the store does not open: {error}"))?;
        let mut messages = Vec::new();
        for row in store.registry().scopes().await.map_err(|error| error.to_string())? {
            let scope = store.scope(row.id).await.map_err(|error| format!("scope {}: {error}", row.id))?;
            let verified = spine::engine::verify(&scope).await.map_err(|error| error.to_string())?;
            found.messages += verified.messages;
            found.faults.extend(verified.faults.iter().map(|fault| format!("{fault:?}")));
            messages.push(scope);
        }
        for (name, answered) in self.acknowledged(by) {
            let body: Value = serde_json::from_slice(&answered.body).unwrap();
            let id: Id<kinds::Message> = body["id"].as_str().unwrap().parse().unwrap();
            let (mut is_there, mut is_kept) = (false, false);
            for scope in &messages {
                let failed = |error: StoreError| error.to_string();
                is_there |= scope.message(id).await.map_err(failed)?.is_some();
                let kept = scope.idempotency(IdempotencyKey(hash_of_key(name))).await.map_err(failed)?;
                is_kept |= kept.is_some_and(|kept| kept.answer == KeptAnswer::FirstBody(id));
            }
            if !is_there {
                found.lost.push(name.clone());
            } else if !is_kept {
                found.otherwise.push(format!("{name}: its answer is not kept"));
            }
        }
        let scopes: Vec<_> =
            messages.iter().map(|scope| data.join(format!("scopes/{}.db", scope.id()))).collect();
        drop(messages);
        store.close().await.map_err(|error| format!("the store does not close: {error}"))?;
        for path in scopes {
            half_written(&path, found).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Serves what is left, and asks again for what was answered.
    async fn the_same_is_answered(&self, data: &Path, by: u64, dice: &mut Dice, found: &mut Found) {
        let node = match Node::start(NodeSettings::on_loopback(data)).await {
            Ok(node) => node,
            Err(error) => return found.faults.push(format!("it does not start: {error}")),
        };
        let made = self.made.iter().filter(|(.., answered)| answered.by <= by);
        let mut asked: Vec<_> =
            made.map(|(request, name, body, answered)| (*request, *name, body, answered)).collect();
        let mut sent: Vec<_> = self.acknowledged(by).filter(|(name, _)| !found.lost.contains(name)).collect();
        while sent.len() > ASKED_AGAIN {
            sent.swap_remove(usize::try_from(dice.below(sent.len() as u64)).unwrap());
        }
        asked.extend(sent.iter().map(|(name, answered)| {
            ("POST /messages", name.as_str(), &self.book.requests[*name], *answered)
        }));
        for (request, name, body, answered) in asked {
            match ask_at(node.address(), &self.key, request, Some(name), Some(body)).await {
                Ok(Answer { body, status }) if status < 300 && body == answered.body => {}
                Ok(Answer { body, status }) => {
                    found.otherwise.push(format!("{name}: {status} {}", String::from_utf8_lossy(&body)));
                }
                Err(error) => found.otherwise.push(format!("{name}: {error}")),
            }
        }
        let after_made = self.made.iter().all(|(.., answered)| by > answered.by);
        if let Some((person, begun, done)) = &self.erased
            && after_made
            && !(by > *begun && by < *done)
        {
            let wanted = if by >= *done { 404 } else { 200 };
            let answer = ask_at(node.address(), &self.key, person, None, None).await;
            let status = answer.map_or(0, |answer| answer.status);
            if status != wanted {
                found.otherwise.push(format!("a person: {status}, not {wanted}"));
            }
        }
        if let Err(error) = node.stop().await {
            found.faults.push(format!("it does not stop: {error}"));
        }
    }
}

impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (messages, steps, bytes) = (self.book.answers.len(), self.happened.len(), self.log.len());
        write!(f, "{messages} messages acknowledged, {steps} operations on files, {bytes} bytes of log")
    }
}

/// Memory, where there is a folder of it: the cuts are made there, and need no disk.
fn fast_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// What no transaction leaves: each gives the number of rows that are wrong.
const HALVES: &[(&str, &str)] = &[
    (
        "messages that are neither under way nor ended, or both",
        "SELECT count(*) FROM message m LEFT JOIN live l ON l.n = m.n LEFT JOIN ended e ON e.n = m.n \
         WHERE (l.n IS NULL) = (e.n IS NULL)",
    ),
    ("messages without content", "SELECT count(*) FROM message WHERE n NOT IN (SELECT n FROM content)"),
    ("contents without message", "SELECT count(*) FROM content WHERE n NOT IN (SELECT n FROM message)"),
    (
        "messages without journal",
        "SELECT count(*) FROM message WHERE n NOT IN (SELECT message FROM journal WHERE message IS NOT NULL)",
    ),
    (
        "messages without event",
        "SELECT count(*) FROM message WHERE n NOT IN (SELECT message FROM event WHERE message IS NOT NULL)",
    ),
    ("attempts without message", "SELECT count(*) FROM attempt WHERE message NOT IN (SELECT n FROM message)"),
    (
        "outcomes without attempt",
        "SELECT count(*) FROM outcome WHERE attempt NOT IN (SELECT id FROM attempt)",
    ),
    ("events without message", "SELECT count(*) FROM event WHERE message NOT IN (SELECT n FROM message)"),
    (
        "look-ups that are merged and not there",
        "SELECT count(*) FROM message WHERE contact IS NOT NULL AND n <= \
         (SELECT coalesce(max(n), 0) FROM lookup_mark WHERE kind = 1) AND n NOT IN (SELECT n FROM lookup WHERE kind = 1)",
    ),
    (
        "fewer kept answers than messages",
        "SELECT max(0, (SELECT count(*) FROM message) - (SELECT count(*) FROM idempotency))",
    ),
];

async fn half_written(path: &Path, found: &mut Found) -> Result<(), sqlx::Error> {
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await?;
    for (what, sql) in HALVES {
        let wrong: i64 = sqlx::query(*sql).fetch_one(&mut conn).await?.get(0);
        if wrong > 0 {
            found.faults.push(format!("{wrong} {what}"));
        }
    }
    let whole: String = sqlx::query("PRAGMA integrity_check").fetch_one(&mut conn).await?.get(0);
    if whole != "ok" {
        found.faults.push(whole);
    }
    conn.close().await
}

/// What was found after one cut.
#[derive(Debug, Default)]
pub(crate) struct Found {
    acknowledged: u64,
    messages: u64,
    asked: u64,
    lost: Vec<String>,
    otherwise: Vec<String>,
    faults: Vec<String>,
}

/// A row of the table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) cuts: u64,
    /// Messages that had been acknowledged, over all cuts.
    pub(crate) acknowledged: u64,
    /// Messages that were there, over all cuts.
    pub(crate) messages: u64,
    /// Acknowledged messages that were not there.
    pub(crate) lost: u64,
    /// Cuts after which some were lost.
    pub(crate) cuts_with_loss: u64,
    /// Cuts after which the program was served and asked again.
    pub(crate) asked: u64,
    /// Answers that were given otherwise than before.
    pub(crate) otherwise: u64,
    /// Broken chains, replays that gave another state, changes that were half there, files that did
    /// not open.
    pub(crate) faults: u64,
}

/// What was found after many cuts.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<Left, Sum>,
    /// What the first of the faults were.
    pub(crate) told: Vec<String>,
}

impl Table {
    fn add(&mut self, left: Left, cut: u64, found: Found) {
        let row = self.rows.entry(left).or_default();
        row.cuts += 1;
        row.acknowledged += found.acknowledged;
        row.messages += found.messages;
        row.asked += found.asked;
        row.lost += found.lost.len() as u64;
        row.cuts_with_loss += u64::from(!found.lost.is_empty());
        row.otherwise += found.otherwise.len() as u64;
        row.faults += found.faults.len() as u64;
        let lost = found.lost.into_iter().map(|name| format!("{name} is lost"));
        for what in lost.chain(found.otherwise).chain(found.faults) {
            if self.told.len() < 20 {
                self.told.push(format!("cut {cut}, {left:?}: {what}"));
            }
        }
    }

    pub(crate) fn sum(&self) -> Sum {
        self.rows.values().fold(Sum::default(), |sum, row| Sum {
            cuts: sum.cuts + row.cuts,
            acknowledged: sum.acknowledged + row.acknowledged,
            messages: sum.messages + row.messages,
            asked: sum.asked + row.asked,
            lost: sum.lost + row.lost,
            cuts_with_loss: sum.cuts_with_loss + row.cuts_with_loss,
            otherwise: sum.otherwise + row.otherwise,
            faults: sum.faults + row.faults,
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads =
            ["cuts", "acknowledged", "there", "lost", "cuts with loss", "served", "otherwise", "faults"];
        write!(f, "{:<14}", "left")?;
        heads.iter().try_for_each(|head| write!(f, "{head:>15}"))?;
        writeln!(f)?;
        let all = self.rows.iter().map(|(left, sum)| (format!("{left:?}").to_lowercase(), *sum));
        for (left, sum) in all.chain([("all".to_owned(), self.sum())]) {
            write!(f, "{left:<14}")?;
            for number in [
                sum.cuts,
                sum.acknowledged,
                sum.messages,
                sum.lost,
                sum.cuts_with_loss,
                sum.asked,
                sum.otherwise,
                sum.faults,
            ] {
                write!(f, "{number:>15}")?;
            }
            writeln!(f)?;
        }
        self.told.iter().try_for_each(|told| writeln!(f, "  {told}"))
    }
}
