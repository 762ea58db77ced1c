//! What decides how a state goes on: two states alike in that are one to a walk.
//!
//! Left out is what nothing reads any more: numbers of attempts and transitions, the instants of what
//! is over, facts that only stages ask for which are at their end, retries and pauses of what sends
//! nothing more, what would happen after the expiry. Instants count from now; the clock itself is kept
//! while a stage that may still start reads it, and the age of the message where something ends or asks
//! by it. Facts that stop a channel for good are one where nobody reads which of them it was.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use crate::language::condition::{Comparison, Literal, Operand, Word};
use crate::language::policy::Wait;
use crate::machine::facts::Moment;
use crate::machine::instance::{Activity, Instance, Phase, Sending, Sent, StageRun};
use crate::machine::plan::{Kind, Machine, StageId, StrategyId, Tree};
use crate::model::{Channel, Confirmation, Instant, Outcome, Span, Zone};

use super::left::{Asks, asks};
use super::moves::{Call, Told, Waiting, answers};
use super::open::{Assigned, OPEN, Places};
use super::space::guards;
use super::stops::stops;
use super::walk::Care;

/// Bytes that stand for a state.
pub(super) type Key = u128;

/// What is asked, stage by stage, and what of a state is ever read.
pub(super) struct Keys {
    /// The questions that a stage may ask before it starts, and before each attempt.
    start: Vec<BTreeSet<usize>>,
    attempt: Vec<BTreeSet<usize>>,
    /// Whether a stage reads the clock itself before it starts, and before each attempt.
    start_clock: Vec<bool>,
    attempt_clock: Vec<bool>,
    /// Something ends by the age of the message or asks for it.
    age: bool,
    /// The providers that a stage may call.
    routes: Vec<Vec<String>>,
    /// The facts that stop a channel for good and are told apart by nobody.
    stops: Vec<BTreeSet<usize>>,
    /// Something counts sends or their cost.
    counts: bool,
    /// What providers may answer.
    pub(super) answers: Vec<Outcome>,
    /// The ages of the message that something compares with, in order.
    pub(super) ages: Vec<Span>,
    /// The confirmations that guards ask for.
    pub(super) words: BTreeSet<Confirmation>,
    care: Care,
}

impl Keys {
    pub(super) fn of(machine: &Machine, places: &Places, routes: &[Vec<String>], care: &Care) -> Keys {
        let (mut start, mut attempt) = (Vec::new(), Vec::new());
        let (mut start_clock, mut attempt_clock) = (Vec::new(), Vec::new());
        for id in machine.ids() {
            let stage = machine.stage(id);
            let (mut before, mut each) = (BTreeSet::new(), BTreeSet::new());
            let zone = |zone: &Zone, out: &mut BTreeSet<usize>| {
                if matches!(zone, Zone::Contact { .. }) {
                    out.extend(places.timezone);
                }
            };
            if let Some(between) = &stage.between {
                zone(&between.zone, &mut each);
            }
            if let Kind::Wait(Wait::Until { zone: of_wait, .. }) = &stage.kind {
                zone(of_wait, &mut before);
            }
            let channel = machine.channel(id).map(|channel| channel.channel);
            let route: &[String] = routes.get(usize::from(id.0)).map_or(&[], Vec::as_slice);
            let breakers = || route.iter().filter_map(|provider| places.breaker.get(provider)).copied();
            if let Some(channel) = channel {
                before.extend(places.has.get(&channel));
                before.extend(places.opted_out.get(&channel));
                each.extend(places.quota.get(&channel));
                each.extend(breakers());
                if let Some(quiet) = &machine.headers.quiet {
                    zone(&quiet.window.zone, &mut each);
                }
                if let Some(guard) = &machine.quiet_unless {
                    tree(&guard.tree, places, None, &[], &mut each);
                }
            }
            for guard in [&stage.only_if, &stage.unless].into_iter().flatten() {
                let of_route: Vec<usize> = breakers().collect();
                tree(&guard.tree, places, channel, &of_route, &mut before);
            }
            before.extend(&each);
            start.push(before);
            attempt.push(each);
            let guards = [&stage.only_if, &stage.unless].into_iter().flatten();
            let in_window = stage.between.is_some() || (channel.is_some() && machine.headers.quiet.is_some());
            let waits = matches!(stage.kind, Kind::Wait(Wait::Until { .. }));
            attempt_clock.push(in_window);
            start_clock
                .push(in_window || waits || guards.clone().any(|guard| guard.tree.has_word(Word::Quiet)));
        }
        let compares = |operand: &Operand| {
            let names = |c: &&Comparison| c.left == *operand || c.right == *operand;
            machine.comparisons.iter().any(|c| names(&c))
        };
        let age = care.time || machine.headers.expires.is_some() || compares(&Operand::Elapsed);
        let counts = care.amounts
            || machine.headers.limit_sends.is_some()
            || machine.headers.limit_cost.is_some()
            || compares(&Operand::Sends)
            || compares(&Operand::Cost);
        let mut words = BTreeSet::new();
        guards(machine).for_each(|guard| confirmations(&guard.tree, &mut words));
        let stops = stops(machine, places, routes, care);
        let routes = routes.to_vec();
        let ages: BTreeSet<Span> = machine.comparisons.iter().filter_map(compared_age).collect();
        let ages = ages.union(&care.ages).copied().collect();
        let (answers, care) = (answers(machine, care), care.clone());
        Keys {
            start,
            attempt,
            start_clock,
            attempt_clock,
            age,
            routes,
            stops,
            counts,
            answers,
            ages,
            words,
            care,
        }
    }

    /// What stands for a state.
    pub(super) fn key(&self, machine: &Machine, state: &Beside<'_>, assigned: &Assigned, mark: u64) -> Key {
        let instance = state.instance;
        let expires = instance.expires_at.map(|at| at.0);
        let mut out = Bytes { bytes: Vec::with_capacity(160), now: state.now, expires };
        out.flags(&[instance.ended.is_some(), instance.begun]);
        out.number(mark);
        if self.age {
            out.number(state.now.since(instance.accepted_at.0).ms().unsigned_abs());
        }
        if self.counts {
            out.number(u64::from(instance.sends));
            out.number(instance.cost.unsigned_abs());
        }
        if self.care.status {
            out.number(instance.status.index() as u64);
        }
        if self.care.reasons {
            out.number(instance.reached_last.map_or(0, |last| u64::from(last) + 1));
        }
        for place in 0..machine.strategies.len() {
            self.strategy(machine, instance, place, &mut out);
        }
        let mut live: BTreeSet<usize> = self.care.facts.iter().copied().collect();
        let mut callable: BTreeSet<&str> = BTreeSet::new();
        let mut reads_clock = self.care.clock && instance.ended.is_none();
        for id in machine.ids() {
            self.stage(machine, instance, id, &mut out);
            let place = usize::from(id.0);
            let (facts, clock) = match asks(machine, instance, id) {
                Asks::Nothing => continue,
                Asks::Attempt => (&self.attempt, &self.attempt_clock),
                Asks::Start => (&self.start, &self.start_clock),
            };
            live.extend(facts.get(place).into_iter().flatten());
            reads_clock |= clock.get(place).copied().unwrap_or(true);
            callable.extend(self.routes.get(place).into_iter().flatten().map(String::as_str));
        }
        if reads_clock {
            out.number(state.now.ms().unsigned_abs());
        }
        out.number(state.unanswered.len() as u64);
        state.unanswered.iter().for_each(|call| out.number(u64::from(call.stage.0)));
        for sent in state.waiting {
            out.number(u64::from(sent.stage.0) + 1);
            out.number(sent.level.index() as u64);
            out.bytes.push(sent.confirms.iter().fold(0, |all, level| all | 1 << level.index()));
            if self.care.providers {
                out.bytes.extend_from_slice(sent.provider.as_bytes());
                out.bytes.push(0);
            }
        }
        out.number(0);
        out.number(state.told.map_or(0, |told| 2 * told.place as u64 + u64::from(told.fails) + 1));
        let paused = |(provider, until): &&(String, Instant)| {
            *until > state.now && callable.contains(provider.as_str())
        };
        for (provider, until) in state.paused.iter().filter(paused) {
            out.bytes.extend_from_slice(provider.as_bytes());
            out.moment(Moment(*until));
        }
        for stops in &self.stops {
            let is_otherwise = |question: &usize| {
                assigned.choice.get(*question).is_some_and(|choice| *choice != 0 && *choice != OPEN)
            };
            let stopped =
                stops.iter().any(|question| live.contains(question)) && stops.iter().any(is_otherwise);
            if stopped {
                live.retain(|question| !stops.contains(question));
            }
            out.flags(&[stopped]);
        }
        for question in live {
            out.number(question as u64);
            out.bytes.push(assigned.choice.get(question).copied().unwrap_or_default());
        }
        out.key()
    }

    fn strategy(&self, machine: &Machine, instance: &Instance, place: usize, out: &mut Bytes) {
        let run = &instance.strategies[place];
        let strategy = machine.strategy(StrategyId(u16::try_from(place).unwrap_or(u16::MAX)));
        out.flags(&[run.stopped, run.begun.is_some()]);
        out.number(u64::from(run.next));
        let next = usize::from(run.next);
        let left = strategy.stages.get(next..).unwrap_or_default();
        let Some(first) = left.iter().filter_map(|id| machine.stage(*id).after).min() else { return };
        if run.stopped {
            return;
        }
        if next == 0 {
            run.begun.into_iter().for_each(|begun| out.since(begun, first));
            return;
        }
        // What the clocks of the stages that are left count from.
        let runs = |id: &StageId| &instance.stages[usize::from(id.0)];
        let anchor = strategy.stages[..next].iter().rev().find(|id| runs(id).started.is_some());
        if let Some(anchor) = anchor {
            let run = runs(anchor);
            let is_wait = matches!(machine.stage(*anchor).kind, Kind::Wait(_));
            if is_wait || !run.failed || run.late {
                run.started.into_iter().for_each(|started| out.since(started, first));
            }
        }
    }

    fn stage(&self, machine: &Machine, instance: &Instance, id: StageId, out: &mut Bytes) {
        let run = &instance.stages[usize::from(id.0)];
        let is_channel = machine.channel(id).is_some();
        if is_channel && self.is_passed(machine, instance, id) {
            out.flags(&[true, run.lost]);
            out.bytes.push(b'p');
            if self.care.reasons {
                out.number(run.reason.map_or(0, |reason| reason.index() as u64 + 1));
            }
            self.heard(run.sending.as_deref(), true, out);
            return;
        }
        // Of what has failed it makes no difference what had been done to it before.
        let over = is_channel && run.failed && run.phase == Phase::Over;
        out.flags(&[
            run.started.is_some(),
            run.reason.is_some(),
            run.failed,
            run.late,
            run.reached,
            run.overtaken && !over,
            run.dropped && !over,
            run.lost,
        ]);
        let phase = match run.phase {
            Phase::Idle => 0,
            Phase::Held(_) => 1,
            Phase::Waiting(_) => 2,
            Phase::Open => 3,
            Phase::Over => 4,
        };
        out.flags(&[run.past_horizon, run.heeds_quiet == Some(true), run.heeds_quiet == Some(false)]);
        out.bytes.push(phase);
        if let Phase::Held(until) | Phase::Waiting(until) = run.phase {
            out.moment(until);
        }
        if self.care.reasons {
            out.number(run.reason.map_or(0, |reason| reason.index() as u64 + 1));
        }
        self.sending(machine, run, id, out);
    }

    /// Whether a stage is over without having been reached, and a later one of its strategy has
    /// started: what it came to is asked by nobody any more.
    fn is_passed(&self, machine: &Machine, instance: &Instance, id: StageId) -> bool {
        let run = &instance.stages[usize::from(id.0)];
        let calls = run.sending.as_deref().is_some_and(|sending| sending.activity != Activity::None);
        if run.phase != Phase::Over || run.reached || calls || !(run.failed || run.reason.is_some()) {
            return false;
        }
        let stage = machine.stage(id);
        let later = machine.strategy(stage.strategy).stages.iter().skip(stage.place + 1);
        later.into_iter().any(|later| instance.stages[usize::from(later.0)].started.is_some())
    }

    /// What has been heard of a stage's sends, where somebody asks.
    fn heard(&self, sending: Option<&Sending>, finished: bool, out: &mut Bytes) {
        if !finished || !self.words.is_empty() || self.care.status || !self.care.confirmations.is_empty() {
            let level = sending.and_then(Sending::level);
            out.number(level.map_or(0, |level| level.index() as u64 + 1));
        }
        if self.care.status {
            out.flags(&[sending.is_some_and(Sending::waits)]);
        }
    }

    fn sending(&self, machine: &Machine, run: &StageRun, id: StageId, out: &mut Bytes) {
        let finished = run.lost || run.reached || run.failed || run.dropped;
        let Some(sending) = run.sending.as_deref() else {
            out.bytes.push(0);
            if finished {
                self.heard(None, true, out);
            }
            return;
        };
        match sending.activity {
            Activity::None => out.bytes.push(if finished { 0 } else { 7 }),
            Activity::Calling { place, .. } => out.bytes.extend([1, place]),
            Activity::Clearing { place, at, .. } => {
                out.bytes.extend([2, place]);
                out.moment(at);
            }
            Activity::Retry(at) => {
                out.bytes.push(3);
                out.moment(at);
            }
            Activity::Paused(at) => {
                out.bytes.push(4);
                out.moment(at);
            }
            Activity::Queued(place) => out.bytes.extend([5, place]),
            Activity::Held { until, round } => {
                out.bytes.extend([6, round as u8]);
                out.moment(until);
            }
        }
        self.heard(Some(sending), finished, out);
        if finished {
            return;
        }
        let now = out.now;
        let repeat = machine.channel(id).and_then(|channel| channel.repeat);
        let repeats = !run.overtaken && super::left::repeats(machine, id, sending);
        let sends = !run.overtaken && sending.activity != Activity::None;
        out.flags(&[sending.sends.is_empty(), repeats, sends]);
        if sends {
            out.number(u64::from(sending.retries));
            out.bytes.push(sending.resent);
            let mut tried = sending.tried.clone();
            tried.sort_unstable();
            out.flags(&[sending.transient]);
            out.bytes.push(u8::try_from(tried.len()).unwrap_or(u8::MAX));
            out.bytes.extend(tried);
        }
        if sends || repeats {
            out.number(sending.paused_ms.unsigned_abs());
            for (place, until) in sending.limited.iter().filter(|(_, until)| until.0 > now) {
                out.bytes.push(*place);
                out.moment(*until);
            }
        }
        if self.care.reasons {
            out.number(sending.last.map_or(0, |reason| reason.index() as u64 + 1));
        }
        for send in sending.sends.iter().filter(|send| send.state == Sent::Accepted) {
            out.number(send.level.map_or(1, |level| level.index() as u64 + 2));
            // Each its own: where the last one fails, that of the one before it counts again.
            if !run.past_horizon {
                out.moment(send.horizon);
            }
        }
        out.bytes.push(0);
        if let Some(repeat) = repeat.filter(|_| repeats) {
            out.number(u64::from(sending.repeated));
            let next = Span::from_ms(repeat.every.ms().saturating_mul(i64::from(sending.repeated) + 1));
            run.started.into_iter().for_each(|started| out.since(started, next));
        }
    }
}

/// The age of the message that a comparison asks for.
#[must_use]
pub fn compared_age(comparison: &Comparison) -> Option<Span> {
    match (&comparison.left, &comparison.right) {
        (Operand::Elapsed, Operand::Literal(Literal::Duration(age)))
        | (Operand::Literal(Literal::Duration(age)), Operand::Elapsed) => Some(*age),
        _ => None,
    }
}

/// What of a state stands beside its instance.
pub(super) struct Beside<'a> {
    pub(super) instance: &'a Instance,
    pub(super) now: Instant,
    pub(super) unanswered: &'a [Call],
    pub(super) waiting: &'a [Waiting],
    pub(super) paused: &'a [(String, Instant)],
    pub(super) told: Option<Told>,
}

/// The questions behind a guard.
pub(super) fn tree(
    guard: &Tree,
    places: &Places,
    channel: Option<Channel>,
    breakers: &[usize],
    out: &mut BTreeSet<usize>,
) {
    match guard {
        Tree::And(parts) | Tree::Or(parts) => {
            parts.iter().for_each(|part| tree(part, places, channel, breakers, out));
        }
        Tree::Not(part) => tree(part, places, channel, breakers, out),
        Tree::HasAddress(channel) => out.extend(places.has.get(channel)),
        Tree::Compare(index) => {
            out.extend(places.comparisons.get(usize::from(*index)).into_iter().flatten());
        }
        Tree::Word(Word::Quota) => out.extend(channel.and_then(|channel| places.quota.get(&channel))),
        Tree::Word(Word::OptedOut) => out.extend(channel.and_then(|channel| places.opted_out.get(&channel))),
        Tree::Word(Word::Tripped) => out.extend(breakers),
        Tree::Word(Word::Quiet) => out.extend(places.timezone),
        Tree::Word(Word::Confirmed(_)) => {}
    }
}

fn confirmations(guard: &Tree, out: &mut BTreeSet<Confirmation>) {
    match guard {
        Tree::And(parts) | Tree::Or(parts) => parts.iter().for_each(|part| confirmations(part, out)),
        Tree::Not(part) => confirmations(part, out),
        Tree::Word(Word::Confirmed(level)) => _ = out.insert(*level),
        Tree::Word(_) | Tree::HasAddress(_) | Tree::Compare(_) => {}
    }
}

/// Bytes under way, with the instant that others count from.
struct Bytes {
    bytes: Vec<u8>,
    now: Instant,
    expires: Option<Instant>,
}

impl Bytes {
    fn flags(&mut self, flags: &[bool]) {
        let byte = flags.iter().enumerate().fold(0_u8, |byte, (place, flag)| byte | u8::from(*flag) << place);
        self.bytes.push(byte);
    }

    fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push((rest & 0x7f) as u8);
    }

    /// An instant; what is not before the expiry never comes.
    fn moment(&mut self, at: Moment) {
        let never = self.expires.is_some_and(|expires| at.0 >= expires);
        let ms = if never { i64::MAX } else { at.0.ms() - self.now.ms() };
        self.bytes.extend(ms.to_le_bytes());
    }

    /// An instant from which clocks count, the first of them for so long.
    fn since(&mut self, from: Moment, first: Span) {
        let never = self.expires.is_some_and(|expires| from.0.plus(first) >= expires);
        let ms = if never { i64::MAX } else { from.0.ms() - self.now.ms() };
        self.bytes.extend(ms.to_le_bytes());
    }

    /// Two different hashes of 64 bits: that two states share both is not to be expected.
    fn key(&self) -> Key {
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(salt);
            hasher.write(&self.bytes);
            u128::from(hasher.finish())
        };
        hash(0) << 64 | hash(0x9e37_79b9_7f4a_7c15)
    }
}
