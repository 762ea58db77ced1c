//! Every way in which a policy can end.
//!
//! A walk over what providers may say: to each call every answer, at no time; and before each timer
//! of the instance, of every send that waits, a confirmation, a failure, or nothing. What comes just
//! after a timer is what comes just before the next one. Two ways that meet in the same state go on
//! as one.

use std::collections::{BTreeMap, HashSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::{Channel, Confirmation, Instant, Money, Outcome, Span};

use super::{Calls, End, Scenario, Simulation, What, next_due};

/// The distinct endings of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Endings {
    /// One for each status, channel and list of reasons, with a shortest script that was found.
    pub endings: Vec<Ending>,
    /// Whether that is all of them.
    pub complete: bool,
}

/// One way to end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Ending {
    /// A script under which it ends so, a key a provider.
    pub script: BTreeMap<String, String>,
    /// How it ends.
    pub end: End,
    /// Attempts accepted or in doubt.
    pub sends: u32,
    /// What those cost; null without prices.
    pub cost: Option<Money>,
}

/// How many distinct endings are looked for.
const ENDINGS_MAX: usize = 1_000;
/// How many states are looked at.
const STATES_MAX: usize = 200_000;
/// Longer than a stage waits for a provider that asked to be left alone.
const LONG_PAUSE: Span = Span::from_s(2 * 3_600);

/// What was said of an attempt, for the script.
#[derive(Debug, Clone)]
struct Said {
    attempt: u32,
    provider: String,
    channel: Channel,
    answered_at: Instant,
    text: String,
    /// How far it was confirmed; `None` once it is not waited for any longer.
    waits: Option<Confirmation>,
}

/// What decides how a way goes on.
#[derive(PartialEq, Eq, Hash)]
struct State {
    instance: Vec<u8>,
    now: Instant,
    unanswered: Vec<u32>,
    paused: BTreeMap<String, Instant>,
    told: (Instant, usize),
}

#[derive(Clone)]
struct Way<'a> {
    run: Simulation<'a>,
    unanswered: Calls,
    said: Vec<Said>,
    /// What was said after an answer, which makes a script longer.
    words: usize,
    /// When a receipt was told last, and of which attempt: those of one instant come in the order of
    /// their attempts, as a script gives them.
    told: (Instant, usize),
}

/// Walks every outcome.
#[must_use]
pub fn all_endings(scenario: &Scenario<'_>) -> Endings {
    let mut run = Simulation::new(scenario);
    let unanswered = run.take(What::Accepted);
    let mut todo = vec![Way { run, unanswered, said: Vec::new(), words: 0, told: (scenario.at, 0) }];
    let mut seen = HashSet::new();
    let mut found: BTreeMap<String, (usize, Ending)> = BTreeMap::new();
    let mut complete = true;
    while let Some(way) = todo.pop() {
        if seen.len() >= STATES_MAX {
            complete = false;
            break;
        }
        if !seen.insert(way.state()) {
            continue;
        }
        if way.run.instance.ended().is_some() {
            let (key, length, ending) = way.ending();
            match found.get(&key) {
                Some((shortest, _)) if *shortest <= length => {}
                None if found.len() >= ENDINGS_MAX => complete = false,
                _ => {
                    found.insert(key, (length, ending));
                }
            }
            continue;
        }
        way.branch(&mut todo);
    }
    let mut endings: Vec<_> = found.into_values().collect();
    endings.sort_by(|(a, first), (b, second)| {
        (a, &first.end, &first.script).cmp(&(b, &second.end, &second.script))
    });
    Endings { endings: endings.into_iter().map(|(_, ending)| ending).collect(), complete }
}

impl<'a> Way<'a> {
    /// What decides how it goes on.
    fn state(&self) -> State {
        State {
            instance: self.run.instance.to_bytes().unwrap_or_default(),
            now: self.run.now,
            unanswered: self.unanswered.iter().map(|(attempt, ..)| *attempt).collect(),
            paused: self.run.world.paused.clone(),
            told: self.told,
        }
    }

    fn branch(mut self, todo: &mut Vec<Way<'a>>) {
        let machine = self.run.scenario.machine;
        if !self.unanswered.is_empty() {
            let (attempt, provider, channel) = self.unanswered.remove(0);
            self.answers(attempt, &provider, channel, todo);
            return;
        }
        let Some(due) = next_due(machine, &self.run.instance) else { return };
        // Just before the timer, what waits may be confirmed or fail.
        let before = Instant::from_ms(due.ms() - 1).max(self.run.now);
        if before < due {
            let first = if self.told.0 == before { self.told.1 } else { 0 };
            for index in first..self.said.len() {
                self.receipts(index, before, todo);
            }
        }
        self.run.now = self.run.now.max(due);
        let calls = self.run.take(What::Due);
        self.unanswered.extend(calls);
        todo.push(self);
    }

    fn answers(self, attempt: u32, provider: &str, channel: Channel, todo: &mut Vec<Way<'a>>) {
        let answers = [
            (Outcome::RateLimited, "rate limited for 2h", Some(LONG_PAUSE)),
            (Outcome::InDoubt, "in doubt", None),
            (Outcome::AccountFault, "account fault", None),
            (Outcome::ContentFault, "content fault", None),
            (Outcome::RecipientFault, "recipient fault", None),
            (Outcome::Transient, "transient", None),
            (Outcome::Accepted, "accepted", None),
        ];
        for (outcome, text, retry_after) in answers {
            let mut way = self.clone();
            let waits = matches!(outcome, Outcome::Accepted | Outcome::InDoubt);
            way.said.push(Said {
                attempt,
                provider: provider.to_owned(),
                channel,
                answered_at: way.run.now,
                text: text.to_owned(),
                waits: waits.then_some(Confirmation::Accepted),
            });
            let calls = way.run.take(What::Answered { attempt, outcome, retry_after });
            way.unanswered.extend(calls);
            todo.push(way);
        }
    }

    fn receipts(&self, index: usize, at: Instant, todo: &mut Vec<Way<'a>>) {
        let said = &self.said[index];
        let Some(level) = said.waits else { return };
        let after = at.since(said.answered_at);
        let world = &self.run.world.catalog;
        let told = world.providers.iter().flatten().find(|known| known.name == said.provider);
        let told = told.and_then(|known| known.confirms.get(&said.channel));
        let confirms = told.map_or(said.channel.default_confirmations(), Vec::as_slice);
        let attempt = said.attempt;
        let higher = confirms.iter().filter(|next| **next > level).map(|next| {
            let reply = if *next == Confirmation::Replied { " \"yes\"" } else { "" };
            (What::Confirmed { attempt, level: *next }, format!(", {next}{reply} after {after}"), Some(*next))
        });
        let failed = (What::FailedLater { attempt, fault: None }, format!(", failed after {after}"), None);
        for (what, text, waits) in higher.chain([failed]) {
            let mut way = self.clone();
            way.run.now = at;
            let said = &mut way.said[index];
            said.text.push_str(&text);
            said.waits = waits;
            way.words += 1;
            way.told = (at, index);
            let calls = way.run.take(what);
            way.unanswered.extend(calls);
            todo.push(way);
        }
    }

    fn ending(self) -> (String, usize, Ending) {
        let length = self.said.len() + self.words;
        let mut script: BTreeMap<String, String> = BTreeMap::new();
        for said in &self.said {
            script
                .entry(said.provider.clone())
                .and_modify(|text| {
                    text.push_str(" then ");
                    text.push_str(&said.text);
                })
                .or_insert_with(|| said.text.clone());
        }
        let timeline = self.run.finish();
        let end = timeline.end;
        let reasons: Vec<_> = end.reasons.iter().map(|r| format!("{:?} {}", r.channel, r.reason)).collect();
        let key = format!("{} {:?} {}", end.status, end.reached_by, reasons.join("; "));
        (key, length, Ending { script, end, sends: timeline.sends, cost: timeline.cost })
    }
}
