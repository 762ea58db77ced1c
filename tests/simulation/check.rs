//! What must always hold, looked for in the rows alone, and in what gateway and receivers counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use spine::engine::journal::Body;
use spine::engine::verify;
use spine::model::{Id, Instant, Outcome, Status, kinds};
use spine::store::rows::{MessageState, StoredAttempt, StoredMessage};
use spine::store::seal::Scope;
use spine::store::{Page, PageStart};

use super::callers::Answer;
use super::checks::Check;
use super::coverage::Coverage;
use super::gateway::Called;
use super::history::{What, Whose};
use super::scene::now;
use super::told;
use super::weather::{number_in, short};
use super::world::World;

/// Something that must always hold, and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Broken {
    /// By what it was found.
    pub(crate) check: Check,
    pub(crate) what: String,
}

/// A message with all its rows.
struct Read {
    whose: Whose,
    message: StoredMessage,
    attempts: Vec<StoredAttempt>,
    /// Its transitions as they were hashed.
    lines: Vec<Value>,
    /// The numbers of its events, in order.
    events: Vec<u64>,
    /// The number that its sender gave it.
    number: Option<u32>,
}

const ALL: Page = Page { start: PageStart::Newest, limit: 100_000 };

/// Looks at everything once a history is over.
pub(crate) fn check(world: &World, ended: Result<(), String>, coverage: &mut Coverage) -> Vec<Broken> {
    let mut found = Vec::new();
    let mut broken = |check, what: String| found.push(Broken { check, what });
    if let Err(open) = ended {
        broken(Check::AllEnds, format!("not everything came to its end: {open}"));
    }
    let mut messages = Vec::new();
    for (whose, scope) in &world.scene.scopes {
        match read(*whose, scope) {
            Ok(some) => messages.extend(some),
            Err(error) => {
                broken(Check::Readable, format!("the rows of scope {} cannot be read: {error}", scope.id()))
            }
        }
        transitions(scope, &mut broken);
        audit(world, scope, &mut broken);
        quota(world, *whose, scope, &messages, &mut broken);
    }
    for message in &messages {
        let names = message.message.row.policy.as_ref().filter(|names| names.version == 1);
        coverage.add(&message.lines, names.map(|names| names.name.as_str()));
        one(message, &mut broken);
        order(message, &mut broken);
    }
    answers(world, &messages, &mut broken);
    calls(world, &messages, &mut broken);
    ends(world, &messages, &mut broken);
    apart(world, &messages, &mut broken);
    told::webhooks(world, ALL, &mut broken);
    found
}

fn read(whose: Whose, scope: &Scope) -> Result<Vec<Read>, spine::store::StoreError> {
    let mut all = Vec::new();
    let events = now(scope.events_after(0, 100_000))?;
    for row in now(scope.messages(Default::default(), ALL))?.rows {
        let message = row.row;
        let mut lines = Vec::new();
        for journal in now(scope.journal(message.n, 0, 100_000))? {
            let body = Body::read(&journal.row.body)?;
            lines.extend(body.transitions.iter().filter_map(|line| serde_json::from_str(line).ok()));
        }
        let of = events.iter().filter(|event| event.message == Some(message.n));
        let events = of.filter_map(|event| event.row.sequence).collect();
        let number = number_in(&message.row.doc);
        let attempts = now(scope.attempts(message.n))?;
        all.push(Read { whose, message, attempts, lines, events, number });
    }
    Ok(all)
}

/// 3: numbered without gaps, chained, and replaying to the stored state.
fn transitions(scope: &Scope, broken: &mut impl FnMut(Check, String)) {
    match now(verify(scope)) {
        Err(error) => {
            broken(Check::Readable, format!("the journal of scope {} cannot be read: {error}", scope.id()))
        }
        Ok(verified) => {
            for fault in verified.faults {
                broken(
                    Check::Replay,
                    format!("{:?}, transition {}: {}", fault.message, fault.seq, fault.what),
                );
            }
        }
    }
    let mut rows = BTreeSet::new();
    for journal in now(scope.journal_after(0, 100_000)).unwrap_or_default() {
        if journal.message.is_some() && !rows.insert((journal.message, journal.row.seq)) {
            broken(
                Check::TransitionOnce,
                format!("transition {} of a message is written twice", journal.row.seq),
            );
        }
    }
}

fn event(line: &Value) -> &str {
    line.get("event").and_then(Value::as_str).unwrap_or_default()
}

fn at(line: &Value) -> Option<Instant> {
    line.get("at").and_then(Value::as_str).and_then(|at| at.parse().ok())
}

/// 1, 5, 6: what one message's rows say of themselves.
fn one(read: &Read, broken: &mut impl FnMut(Check, String)) {
    let name = read.number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let ended = match &read.message.state {
        MessageState::Live(_) => None,
        MessageState::Ended(ended) => Some(ended),
    };
    if ended.is_none() {
        broken(Check::Ended, format!("message {name} has not ended"));
    }
    let end = read.lines.iter().position(|line| event(line) == "message_ended");
    match (end, ended) {
        (None, Some(_)) => {
            broken(Check::EndTold, format!("message {name} has ended without a transition that says so"))
        }
        (Some(place), _) => {
            if let Some(line) = read.lines[place + 1..].iter().find(|line| event(line) == "attempt_started") {
                broken(
                    Check::NothingAfterEnd,
                    format!("message {name} began an attempt after its end: {line}"),
                );
            }
        }
        (None, None) => {}
    }
    for attempt in &read.attempts {
        if attempt.outcome.is_none() {
            broken(Check::Outcomes, format!("{} of message {name} has no outcome", short(attempt.row.id)));
        }
        if ended.is_some_and(|ended| attempt.row.at > ended.at) {
            broken(
                Check::NothingAfterEnd,
                format!("{} of message {name} began after the message's end", short(attempt.row.id)),
            );
        }
        if attempt.row.at < read.message.row.created_at {
            broken(
                Check::NothingBeforeStart,
                format!("{} of message {name} began before the message", short(attempt.row.id)),
            );
        }
    }
    let counted = read.events.iter().copied().eq(1..=read.events.len() as u64);
    // The number of the last event stands in the state, after its form and its hash.
    let state = match &read.message.state {
        MessageState::Live(live) => &live.state,
        MessageState::Ended(ended) => &ended.state,
    };
    let last = state.get(33..37).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
    if !counted || last != u32::try_from(read.events.len()).ok() {
        broken(
            Check::EventNumbers,
            format!("of {last:?} events of message {name} the rows hold {:?}", read.events),
        );
    }
}

/// 5: no stage before its time.
fn order(read: &Read, broken: &mut impl FnMut(Check, String)) {
    let name = read.number.unwrap_or_default();
    let mut last = None;
    for line in &read.lines {
        let now = at(line);
        if last > now {
            broken(Check::TimeForward, format!("time goes back within message {name}"));
        }
        last = now;
    }
    // Whatever is sent on time is sent after the clocks of the message have started.
    let begun = read.lines.iter().find(|line| event(line) == "message_begun").and_then(at);
    let first = read.lines.iter().find(|line| event(line) == "attempt_started").and_then(at);
    if let (Some(begun), Some(first)) = (begun, first)
        && first < begun
    {
        broken(Check::NothingBeforeStart, format!("message {name} was sent before its time"));
    }
    // Of a plain fallback it is known without the machine: the second waits for the failure of the
    // first, or for its time.
    let policy =
        read.message.row.policy.as_ref().filter(|names| names.version == 1).map(|names| names.name.as_str());
    let after_ms = match policy {
        Some("fallback") => 10_000,
        Some("wait") => 9_000,
        _ => return,
    };
    let of = |wanted: &str, stages: &[u64]| {
        read.lines.iter().find(|line| {
            event(line) == wanted
                && line.get("stage").and_then(Value::as_u64).is_some_and(|it| stages.contains(&it))
        })
    };
    let second: &[u64] = if policy == Some("wait") { &[2, 3] } else { &[2] };
    // A stage that waits for a place with its provider has started, without an attempt yet: what is
    // known is when the message did.
    let first = begun.or(Some(read.message.row.created_at));
    let second = of("attempt_started", second).and_then(at);
    let failed = of("stage_failed", &[1]).and_then(at);
    if let (Some(first), Some(second)) = (first, second) {
        let early = second.ms() - first.ms() < after_ms;
        let allowed = policy == Some("fallback") && failed.is_some_and(|failed| failed <= second);
        let waited =
            policy == Some("wait") && failed.is_some_and(|failed| second.ms() - failed.ms() >= after_ms);
        if early && !allowed && !waited {
            broken(
                Check::PolicyTimes,
                format!(
                    "the second stage of message {name} started {} ms after the message",
                    second.ms() - first.ms()
                ),
            );
        }
    }
}

/// 1 and 4: what was answered stands, and one key is one mutation.
fn answers(world: &World, messages: &[Read], broken: &mut impl FnMut(Check, String)) {
    for (number, ids) in world.known() {
        let ids: BTreeSet<Id<kinds::Message>> = ids.into_iter().collect();
        if ids.len() > 1 {
            broken(Check::OneId, format!("message {number} was answered with {} ids", ids.len()));
        }
        for id in ids {
            if !messages.iter().any(|read| read.message.row.id == id) {
                broken(
                    Check::AnsweredStands,
                    format!("message {number} was answered with 2xx and is not there"),
                );
            }
        }
    }
    let mut by_number: BTreeMap<(Whose, u32), u32> = BTreeMap::new();
    for read in messages {
        if let Some(number) = read.number {
            *by_number.entry((read.whose, number)).or_default() += 1;
        }
    }
    for ((_, number), times) in by_number {
        if times > 1 {
            broken(Check::OneMessage, format!("message {number} was taken in {times} times under one key"));
        }
    }
    for asked in &world.asked {
        let both = asked.answers.iter().any(|answer| matches!(answer, Answer::Done(_)))
            && asked.answers.contains(&Answer::OtherRequest);
        if both && !matches!(asked.request.what, What::Other { .. }) {
            broken(Check::OneAnswer, format!("request {} was answered in two ways", asked.request.no));
        }
    }
}

/// 2, and that nothing is sent more often than its policy says: what the gateway counted.
fn calls(world: &World, messages: &[Read], broken: &mut impl FnMut(Check, String)) {
    let calls = world.gateway.calls();
    for call in &calls {
        if !call.was_durable {
            broken(
                Check::IntentFirst,
                format!("{} was called before its intent was durable", short(call.attempt)),
            );
        }
    }
    let ahead = world.history.ahead_ms.iter().copied().max().unwrap_or_default().max(0);
    for read in messages.iter().filter(|read| read.whose != Whose::Test) {
        let number = read.number.unwrap_or_default();
        let own: Vec<_> = calls.iter().filter(|call| call.message == number).collect();
        let allowed =
            read.lines.iter().filter(|line| matches!(event(line), "attempt_started" | "attempt_repeated"));
        key_of_attempts(read, &own, broken);
        let (made, allowed) = (own.len(), allowed.count());
        if made > allowed {
            broken(
                Check::CallsCounted,
                format!("message {number} was sent to the gateway {made} times, by {allowed} intents"),
            );
        }
        for call in own {
            match read.attempts.iter().find(|attempt| attempt.row.id == call.attempt) {
                None => {
                    broken(Check::CallHasRow, format!("{} was called and has no row", short(call.attempt)))
                }
                Some(attempt) if attempt.row.at.ms() > call.at.ms() + ahead => {
                    broken(
                        Check::CalledInTime,
                        format!("{} was called before its time", short(call.attempt)),
                    );
                }
                Some(_) => {}
            }
        }
    }
}

/// 4: the key of an attempt stands for one send: what the gateway took counts as sent, or as in doubt, and is
/// not sent again under another key as if it were not there; what counts as sent was taken.
fn key_of_attempts(read: &Read, calls: &[&Called], broken: &mut impl FnMut(Check, String)) {
    let number = read.number.unwrap_or_default();
    for attempt in &read.attempts {
        let Some(outcome) = attempt.outcome.as_ref().map(|row| row.outcome) else { continue };
        let taken = calls.iter().any(|call| call.attempt == attempt.row.id && call.taken);
        let name = short(attempt.row.id);
        match outcome {
            Outcome::InDoubt => {}
            Outcome::Accepted if !taken => {
                broken(
                    Check::SendsAgree,
                    format!("{name} of message {number} counts as sent, and nobody took it"),
                );
            }
            Outcome::Accepted => {}
            refused if taken => {
                let word = refused.word();
                broken(
                    Check::SendsAgree,
                    format!("{name} of message {number} was taken, and counts as not sent ({word})"),
                );
            }
            _ => {}
        }
    }
}

/// 8: an end never changes, but for `sent` to `delivered`.
fn ends(world: &World, messages: &[Read], broken: &mut impl FnMut(Check, String)) {
    world.weather.written(|written| {
        for what in &written.changed_ends {
            broken(Check::EndsWritten, what.clone());
        }
        for read in messages {
            let MessageState::Ended(ended) = &read.message.state else { continue };
            let Some(scope) = world.scene.id(read.whose) else { continue };
            match written.ends.get(&(scope, read.message.n)) {
                Some((status, at)) if (*status, *at) == (ended.status, ended.at) => {}
                Some((status, _)) => broken(
                    Check::EndsStand,
                    format!(
                        "message {} ended as {} and stands as {}",
                        read.number.unwrap_or_default(),
                        status.word(),
                        ended.status.word()
                    ),
                ),
                None => broken(Check::EndsStand, "a message has an end that nobody wrote".to_owned()),
            }
        }
    });
    for read in messages {
        let Some(place) = read.lines.iter().position(|line| event(line) == "message_ended") else { continue };
        let MessageState::Ended(ended) = &read.message.state else { continue };
        let said = read.lines[place].get("to").and_then(Value::as_str).unwrap_or_default();
        let late = read.lines[place + 1..].iter().any(|line| event(line) == "message_delivered");
        let expected = if late && said == "sent" { Status::Delivered.word() } else { said };
        if ended.status.word() != expected {
            broken(
                Check::EndsStand,
                format!("a message ended as {said} and stands as {}", ended.status.word()),
            );
        }
    }
}

/// 7: no row of another scope.
fn apart(world: &World, messages: &[Read], broken: &mut impl FnMut(Check, String)) {
    for read in messages {
        let sent = read.number.and_then(|number| world.history.step(number));
        match sent.map(|step| &step.what) {
            Some(What::Send(send)) if send.whose == read.whose => {}
            _ => broken(Check::OwnScope, format!("a message of somebody else stands with {:?}", read.whose)),
        }
    }
    let unused =
        world.store.rows_of_unused(&world.scene.scopes.values().map(|scope| scope.id()).collect::<Vec<_>>());
    if unused > 0 {
        broken(Check::OwnScope, format!("{unused} messages stand in scopes that nobody used"));
    }
}

/// 9: the audit is a chain, and holds what was ever added to it.
fn audit(world: &World, scope: &Scope, broken: &mut impl FnMut(Check, String)) {
    let rows = now(scope.audit_after(0, 100_000)).unwrap_or_default();
    let mut before = [0; 32];
    for (place, row) in rows.iter().enumerate() {
        let text = String::from_utf8_lossy(&row.row.entry.canonical).into_owned();
        let hash = spine::engine::journal::chained(before, &text);
        if row.row.prev_hash != before || row.row.hash != hash || row.n != place as i64 + 1 {
            broken(Check::AuditChain, format!("the chain of the audit breaks at entry {}", row.n));
            return;
        }
        before = hash;
    }
    world.weather.written(|written| {
        let added = written.audit.get(&scope.id()).map(Vec::as_slice).unwrap_or_default();
        let same = added.len() == rows.len() && added.iter().zip(&rows).all(|(a, b)| *a == b.row.entry);
        if !same {
            broken(
                Check::AuditWhole,
                format!("the audit holds {} entries, and {} were added", rows.len(), added.len()),
            );
        }
    });
}

/// Never more passes than a quota lets.
fn quota(
    world: &World,
    whose: Whose,
    scope: &Scope,
    messages: &[Read],
    broken: &mut impl FnMut(Check, String),
) {
    let changes = world.history.steps.iter().any(|step| matches!(step.what, What::Quota { .. }));
    let Some(limit) = world.history.quota.filter(|_| !changes && whose == Whose::Live) else { return };
    let counts = |attempt: &&StoredAttempt| {
        attempt.row.channel == spine::model::Channel::Sms
            && attempt.outcome.as_ref().is_some_and(|row| row.outcome == Outcome::Accepted)
    };
    let attempts = messages.iter().filter(|read| read.whose == whose).flat_map(|read| &read.attempts);
    let used = attempts.filter(counts).count() as u64;
    if used > limit {
        broken(Check::QuotaKept, format!("a quota of {limit} let {used} pass"));
    }
    let taken =
        world.gateway.calls().iter().filter(|call| call.taken && call.channel == "sms").count() as u64;
    if taken > limit && world.history.steps.iter().all(|step| !is_other(&step.what)) {
        broken(Check::QuotaKept, format!("a quota of {limit} let {taken} calls pass"));
    }
    let held: u64 = world.store.usage(scope.id()).iter().map(|row| row.held).sum();
    if held > 0 {
        broken(Check::NoPlaceHeld, format!("{held} places of a quota are held, and nobody holds them"));
    }
}

fn is_other(what: &What) -> bool {
    matches!(what, What::Send(send) if send.whose == Whose::Other)
}
