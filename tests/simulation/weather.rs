//! How the store fares: how long it takes, what it refuses, and which of its answers are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use spine::model::{Id, Instant, ScopeId, Status, kinds};
use spine::store::memory::{Ask, Fate, Schedule, Step, Work};
use spine::store::rows::{EndedState, NewAudit};
use spine::store::{Applied, Change, MessageChange, MessageStep, NodeId, Position, StoreError};

use super::core::{Core, Entry, RunNo, lock};
use super::history::StoreFault;
use super::occurred::{Commit, Did};

/// The run of work that is nobody's: of those who set the world up and look at it.
pub(crate) const NOBODY: RunNo = usize::MAX;

/// What the store wrote, in the order of its commits.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) commits: u64,
    /// What each did to which message.
    pub(crate) done: Vec<Commit>,
    /// How many were made whose answer was lost.
    pub(crate) answers_lost: usize,
    /// The end of each message, as it was written last.
    pub(crate) ends: BTreeMap<(ScopeId, Position), (Status, Instant)>,
    /// What was wrong with an end, when it was written.
    pub(crate) changed_ends: Vec<String>,
    /// Which attempts were written, and by which commit.
    pub(crate) intents: BTreeSet<Id<kinds::Attempt>>,
    /// The numbers that senders gave their messages.
    pub(crate) numbers: BTreeMap<(ScopeId, Position), u32>,
    /// The audit, as it was added to.
    pub(crate) audit: BTreeMap<ScopeId, Vec<NewAudit>>,
}

#[derive(Default)]
struct Sky {
    runs: BTreeMap<NodeId, RunNo>,
    /// Faults that the next commits of a run meet.
    faults: BTreeMap<RunNo, Vec<StoreFault>>,
    slow_until: Option<Instant>,
    calm: bool,
    written: Written,
}

/// The schedule of the store.
pub(crate) struct Weather {
    core: Arc<Core>,
    /// How long a step of the store takes at most.
    delay_ms: i64,
    /// How many of a hundred questions about leases, duties and adoptions fail.
    duties_fail: u64,
    sky: Mutex<Sky>,
}

impl Weather {
    pub(crate) fn new(core: Arc<Core>, delay_ms: i64, duties_fail: u64) -> Arc<Weather> {
        Arc::new(Weather { core, delay_ms, duties_fail, sky: Mutex::default() })
    }

    pub(crate) fn name(&self, node: NodeId, run: RunNo) {
        lock(&self.sky).runs.insert(node, run);
    }

    pub(crate) fn fault(&self, run: RunNo, fault: StoreFault) {
        lock(&self.sky).faults.entry(run).or_default().push(fault);
    }

    pub(crate) fn slow_until(&self, at: Instant) {
        lock(&self.sky).slow_until = Some(at);
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm(&self) {
        let mut sky = lock(&self.sky);
        sky.calm = true;
        sky.faults.clear();
        sky.slow_until = None;
    }

    /// The nodes are no more: whoever asks now is answered at once.
    pub(crate) fn forget(&self) {
        lock(&self.sky).runs.clear();
    }

    pub(crate) fn written<T>(&self, look: impl FnOnce(&Written) -> T) -> T {
        look(&lock(&self.sky).written)
    }

    fn delay(&self, sky: &Sky, step: Step) -> i64 {
        let slow = sky.slow_until.is_some_and(|until| self.core.now() < until);
        let most = if slow { 400 + self.delay_ms } else { self.delay_ms };
        self.core.random(|random| match step {
            // Most questions are answered at once: a simulated millisecond is a real microsecond.
            Step::Asked(Ask::Read | Ask::Duty | Ask::Look | Ask::Adoption) if !slow => {
                if random.percent(10) {
                    random.between(0, most)
                } else {
                    0
                }
            }
            Step::Answered(_) => {
                if random.percent(20) {
                    random.between(0, most)
                } else {
                    0
                }
            }
            Step::News => random.between(0, most * 2),
            Step::Asked(_) => random.between(0, most),
        })
    }
}

impl Weather {
    fn fate_of_duty(&self, sky: &Sky) -> Fate {
        if sky.calm || self.duties_fail == 0 {
            return Fate::Done;
        }
        self.core.random(|random| match random.percent(self.duties_fail) {
            false => Fate::Done,
            true if random.percent(50) => Fate::Refused(unavailable()),
            true => Fate::Lost(unavailable()),
        })
    }
}

impl Schedule for Weather {
    fn now(&self) -> Instant {
        self.core.now()
    }

    fn run(&self, node: NodeId, step: Step, work: Work) {
        let (run, fate, delay) = {
            let mut sky = lock(&self.sky);
            let Some(run) = sky.runs.get(&node).copied() else {
                drop(sky);
                return work(Fate::Done);
            };
            let fault = match step {
                Step::Asked(Ask::Commit) => sky.faults.get_mut(&run).and_then(Vec::pop),
                _ => None,
            };
            let fate = match fault {
                None if matches!(step, Step::Asked(Ask::Duty | Ask::Look | Ask::Adoption)) => {
                    self.fate_of_duty(&sky)
                }
                None => Fate::Done,
                Some(StoreFault::Full) => Fate::Refused(StoreError::Full),
                Some(StoreFault::Unavailable) => Fate::Refused(unavailable()),
                Some(StoreFault::AnswerLost) => {
                    sky.written.answers_lost += 1;
                    Fate::Lost(lost())
                }
            };
            let delay = if step == Step::News && !sky.calm && self.core.random(|random| random.percent(20)) {
                // Word of it never comes; the poll finds it.
                return;
            } else {
                self.delay(&sky, step)
            };
            (run, fate, delay)
        };
        // Whatever concerns another node than the one that runs now has its own turn.
        if delay == 0 && step != Step::News {
            return work(fate);
        }
        self.core.after(delay, Entry::Store { run, step, fate, work });
    }

    fn written(&self, node: NodeId, scope: ScopeId, change: &Change, applied: &Applied) {
        let mut sky = lock(&self.sky);
        let run = sky.runs.get(&node).copied().unwrap_or(NOBODY);
        let at_ms = self.core.elapsed_ms();
        let written = &mut sky.written;
        written.commits += 1;
        self.core.mark(written.commits ^ ((change.messages.len() as u64) << 32));
        let mut begun = applied.messages.iter();
        for part in &change.messages {
            written.intents.extend(part.attempts.iter().map(|attempt| attempt.id));
            match &part.step {
                MessageStep::Begin(row, _) => {
                    let n = begun.next();
                    written.number(scope, n, &row.doc);
                    written.note(at_ms, run, scope, n, Did::Begun, part);
                }
                MessageStep::BeginEnded(row, ended, _) => {
                    let n = begun.next();
                    written.number(scope, n, &row.doc);
                    written.note(at_ms, run, scope, n, Did::Begun, part);
                    if let Some(n) = n {
                        written.end(scope, *n, ended, false);
                    }
                }
                MessageStep::End { n, ended, .. } => {
                    written.note(at_ms, run, scope, Some(n), Did::Ended, part);
                    written.end(scope, *n, ended, false);
                }
                MessageStep::Amend { n, ended, .. } => {
                    written.note(at_ms, run, scope, Some(n), Did::Amended, part);
                    written.end(scope, *n, ended, true);
                }
                MessageStep::Go { n, .. } => written.note(at_ms, run, scope, Some(n), Did::Went, part),
                MessageStep::Stay { .. } => {}
            }
        }
        for signal in &change.signals {
            let message = written.numbers.get(&(scope, signal.message)).copied();
            let commit = Commit { at_ms, run, message, did: Did::Signalled, outcomes: Vec::new() };
            written.done.push(commit);
        }
        written.audit.entry(scope).or_default().extend(change.audit.iter().cloned());
        let numbers = &written.numbers;
        self.core.tell(|| {
            format!("  node {node} commits {}", summary(change, &|n| numbers.get(&(scope, n)).copied()))
        });
    }
}

/// The number that a sender noted in what is in clear of a message's document.
pub(crate) fn number_in(doc: &[u8]) -> Option<u32> {
    let doc = String::from_utf8_lossy(doc);
    doc.split_once("\"n\":\"").and_then(|(_, rest)| rest.split('"').next()?.parse().ok())
}

impl Written {
    fn number(&mut self, scope: ScopeId, n: Option<&Position>, doc: &[u8]) {
        if let (Some(n), Some(number)) = (n, number_in(doc)) {
            self.numbers.insert((scope, *n), number);
        }
    }

    fn note(
        &mut self,
        at_ms: i64,
        run: RunNo,
        scope: ScopeId,
        n: Option<&Position>,
        did: Did,
        part: &MessageChange,
    ) {
        let message = n.and_then(|n| self.numbers.get(&(scope, *n)).copied());
        let outcomes = part.outcomes.iter().map(|row| row.outcome).collect();
        self.done.push(Commit { at_ms, run, message, did, outcomes });
    }

    fn end(&mut self, scope: ScopeId, n: Position, ended: &EndedState, amends: bool) {
        let before = self.ends.insert((scope, n), (ended.status, ended.at));
        match before {
            None if !amends => {}
            Some((status, at)) if amends => {
                let same = status == ended.status;
                let late = status == Status::Sent && ended.status == Status::Delivered;
                if !(same || late) || at != ended.at {
                    self.changed_ends.push(format!(
                        "message {n} of scope {scope} had ended as {} and became {}",
                        status.word(),
                        ended.status.word()
                    ));
                }
            }
            _ => self
                .changed_ends
                .push(format!("message {n} of scope {scope} ended twice, or before it began")),
        }
    }
}

fn unavailable() -> StoreError {
    StoreError::Unavailable { detail: "the connection was refused".to_owned() }
}

/// What a node is told whose commit was made, or not: nobody knows.
pub(crate) fn lost() -> StoreError {
    StoreError::Failed { detail: "the connection broke in mid-commit".to_owned() }
}

/// What a change holds, in few words.
fn summary(change: &Change, number: &dyn Fn(Position) -> Option<u32>) -> String {
    let mut words: Vec<String> = Vec::new();
    let name = |n: &Position| number(*n).map_or_else(|| "?".to_owned(), |number| number.to_string());
    for part in &change.messages {
        let step = match &part.step {
            MessageStep::Begin(row, _) => {
                format!("message {}, new", number_in(&row.doc).unwrap_or_default())
            }
            MessageStep::BeginEnded(row, ended, _) => {
                format!(
                    "message {}, ended {} at once",
                    number_in(&row.doc).unwrap_or_default(),
                    ended.status.word()
                )
            }
            MessageStep::Go { n, expected, live } => {
                format!("message {} (version {expected} seen, {})", name(n), live.status.word())
            }
            MessageStep::End { n, expected, ended, .. } => {
                format!("the end of message {} (version {expected} seen, {})", name(n), ended.status.word())
            }
            MessageStep::Amend { n, ended, .. } => {
                format!("what came late for message {} ({})", name(n), ended.status.word())
            }
            MessageStep::Stay { n } => format!("rows of message {}", name(n)),
        };
        words.push(step);
        words.extend(part.attempts.iter().map(|attempt| format!("the intent of {}", short(attempt.id))));
        let outcome = |row: &spine::store::rows::OutcomeRow| {
            format!("{} for {}", row.outcome.word(), short(row.attempt))
        };
        words.extend(part.outcomes.iter().map(outcome));
    }
    let counted = |count: usize, one: &str| (count > 0).then(|| format!("{count} {one}"));
    words.extend(counted(change.deliveries.len(), "deliveries"));
    words.extend(counted(change.endpoints.len(), "changes of endpoints"));
    words.extend(counted(change.signals.len(), "signals"));
    words.extend(counted(change.signals_done.len(), "signals carried out"));
    words.extend(counted(change.early_receipts.len(), "early receipts"));
    words.extend(counted(change.consents.len(), "consents"));
    words.extend(counted(change.quotas.len(), "limits of quotas"));
    words.extend(counted(change.versions.len(), "versions"));
    words.extend(counted(change.provider_states.len(), "breakers"));
    words.extend(change.clock.map(|clock| format!("the clock at {} ms", clock.advanced_by_ms)));
    if words.is_empty() { "a change of its books".to_owned() } else { words.join(", ") }
}

/// The last characters of an attempt's id.
pub(crate) fn short(id: Id<kinds::Attempt>) -> String {
    let text = id.to_string();
    format!("att_…{}", &text[text.len() - 5..])
}
