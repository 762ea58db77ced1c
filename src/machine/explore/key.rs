//! What decides how a state goes on: two states alike in that are one to a walk.
//!
//! Left out is what nothing reads any more: numbers of attempts and transitions, the instants of what
//! is over, facts that only stages ask for which are at their end. Instants count from now, and from
//! acceptance only where something reads the clock.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hasher};

use crate::language::condition::{Comparison, Operand, Word};
use crate::language::policy::Wait;
use crate::machine::facts::Moment;
use crate::machine::instance::{Activity, Instance, Phase, Sent, StageRun};
use crate::machine::plan::{Kind, Machine, StageId, StrategyId, Tree};
use crate::model::{Confirmation, Instant, Zone};

use super::moves::Told;
use super::open::{Assigned, Places};
use super::space::{asks_quiet, guards, windows};
use super::walk::Care;

/// Bytes that stand for a state.
pub(super) type Key = u128;

/// What is asked, stage by stage, and what of a state is ever read.
pub(super) struct Keys {
    /// The questions that a stage may ask before it starts, and before each attempt.
    start: Vec<BTreeSet<usize>>,
    attempt: Vec<BTreeSet<usize>>,
    /// Something reads the clock itself.
    absolute: bool,
    /// Something counts sends or their cost.
    counts: bool,
    /// The confirmations that guards ask for.
    pub(super) words: BTreeSet<Confirmation>,
    care: Care,
}

impl Keys {
    pub(super) fn of(machine: &Machine, places: &Places, routes: &[Vec<String>], care: &Care) -> Keys {
        let (mut start, mut attempt) = (Vec::new(), Vec::new());
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
        }
        let compares = |operand: &Operand| {
            let names = |c: &&Comparison| c.left == *operand || c.right == *operand;
            machine.comparisons.iter().any(|c| names(&c))
        };
        let reads_clock =
            machine.ids().any(|id| matches!(machine.stage(id).kind, Kind::Wait(Wait::Until { .. })));
        let absolute = care.time
            || machine.headers.expires.is_some()
            || reads_clock
            || !windows(machine).is_empty()
            || asks_quiet(machine)
            || compares(&Operand::Elapsed);
        let counts = care.amounts
            || machine.headers.limit_sends.is_some()
            || machine.headers.limit_cost.is_some()
            || compares(&Operand::Sends)
            || compares(&Operand::Cost);
        let mut words = BTreeSet::new();
        guards(machine).for_each(|guard| confirmations(&guard.tree, &mut words));
        Keys { start, attempt, absolute, counts, words, care: care.clone() }
    }

    /// What stands for a state.
    pub(super) fn key(&self, machine: &Machine, state: &Beside<'_>, assigned: &Assigned, mark: u64) -> Key {
        let mut out = Bytes { bytes: Vec::with_capacity(160), now: state.now };
        let instance = state.instance;
        out.flags(&[instance.ended.is_some(), instance.begun]);
        out.number(mark);
        if self.absolute {
            out.number(state.now.ms().unsigned_abs());
            out.number(instance.accepted_at.0.ms().unsigned_abs());
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
        for id in machine.ids() {
            self.stage(machine, instance, id, &mut out, &mut live);
        }
        out.number(state.unanswered.len() as u64);
        state.unanswered.iter().for_each(|stage| out.number(u64::from(stage.0)));
        for (stage, level) in state.waiting {
            out.number(u64::from(stage.0) + 1);
            out.number(level.index() as u64);
        }
        out.number(state.told.map_or(0, |told| 2 * told.place as u64 + u64::from(told.fails) + 1));
        for (provider, until) in state.paused.iter().filter(|(_, until)| *until > state.now) {
            out.bytes.extend_from_slice(provider.as_bytes());
            out.moment(Moment(*until));
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
        let clocked = left.iter().any(|id| machine.stage(*id).after.is_some());
        if run.stopped || !clocked {
            return;
        }
        if next == 0 {
            run.begun.into_iter().for_each(|begun| out.moment(begun));
            return;
        }
        // What the clocks of the stages that are left count from.
        let runs = |id: &StageId| &instance.stages[usize::from(id.0)];
        let anchor = strategy.stages[..next].iter().rev().find(|id| runs(id).started.is_some());
        if let Some(anchor) = anchor {
            let run = runs(anchor);
            let is_wait = matches!(machine.stage(*anchor).kind, Kind::Wait(_));
            if is_wait || !run.failed || run.late {
                run.started.into_iter().for_each(|started| out.moment(started));
            }
        }
    }

    fn stage(
        &self,
        machine: &Machine,
        instance: &Instance,
        id: StageId,
        out: &mut Bytes,
        live: &mut BTreeSet<usize>,
    ) {
        let run = &instance.stages[usize::from(id.0)];
        out.flags(&[
            run.started.is_some(),
            run.reason.is_some(),
            run.failed,
            run.late,
            run.reached,
            run.overtaken,
            run.dropped,
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
        let place = usize::from(id.0);
        match asks(machine, instance, id) {
            Asks::Nothing => {}
            Asks::Attempt => live.extend(&self.attempt[place]),
            Asks::Start => live.extend(&self.start[place]),
        }
        self.sending(machine, run, id, out);
    }

    fn sending(&self, machine: &Machine, run: &StageRun, id: StageId, out: &mut Bytes) {
        let Some(sending) = run.sending.as_deref() else {
            out.bytes.push(0);
            return;
        };
        let finished = run.lost || run.reached || run.failed || run.dropped;
        out.bytes.push(1);
        match sending.activity {
            Activity::None => out.bytes.push(0),
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
        if !finished || !self.words.is_empty() || self.care.status || !self.care.confirmations.is_empty() {
            out.number(sending.level().map_or(0, |level| level.index() as u64 + 1));
        }
        if self.care.status {
            out.flags(&[sending.waits()]);
        }
        if finished {
            return;
        }
        out.number(u64::from(sending.retries));
        out.number(u64::from(sending.repeated));
        out.bytes.push(sending.resent);
        out.number(sending.paused_ms.unsigned_abs());
        out.flags(&[sending.transient, sending.sends.is_empty()]);
        let mut tried = sending.tried.clone();
        tried.sort_unstable();
        out.bytes.push(u8::try_from(tried.len()).unwrap_or(u8::MAX));
        out.bytes.extend(tried);
        let now = out.now;
        for (place, until) in sending.limited.iter().filter(|(_, until)| until.0 > now) {
            out.bytes.push(*place);
            out.moment(*until);
        }
        if self.care.reasons {
            out.number(sending.last.map_or(0, |reason| reason.index() as u64 + 1));
        }
        let accepted = sending.sends.iter().filter(|send| send.state == Sent::Accepted);
        for send in accepted.clone() {
            out.number(send.level.map_or(1, |level| level.index() as u64 + 2));
        }
        out.bytes.push(0);
        if !run.past_horizon
            && let Some(horizon) = accepted.map(|send| send.horizon).max()
        {
            out.moment(horizon);
        }
        let repeat = machine.channel(id).and_then(|channel| channel.repeat);
        if repeat.is_some_and(|repeat| sending.repeated < repeat.times) && !run.overtaken {
            run.started.into_iter().for_each(|started| out.moment(started));
        }
    }
}

/// What of a state stands beside its instance.
pub(super) struct Beside<'a> {
    pub(super) instance: &'a Instance,
    pub(super) now: Instant,
    pub(super) unanswered: &'a [StageId],
    pub(super) waiting: &'a [(StageId, Confirmation)],
    pub(super) paused: &'a [(String, Instant)],
    pub(super) told: Option<Told>,
}

/// What a stage may still ask about.
enum Asks {
    Nothing,
    Attempt,
    Start,
}

fn asks(machine: &Machine, instance: &Instance, id: StageId) -> Asks {
    let run = &instance.stages[usize::from(id.0)];
    if instance.ended.is_some() || run.lost || run.reached || run.failed || run.dropped {
        return Asks::Nothing;
    }
    match run.phase {
        Phase::Over | Phase::Waiting(_) => Asks::Nothing,
        Phase::Held(_) => Asks::Start,
        Phase::Open if run.overtaken => Asks::Nothing,
        Phase::Open => Asks::Attempt,
        Phase::Idle => {
            let stage = machine.stage(id);
            let stopped = instance.strategies[usize::from(stage.strategy.0)].stopped;
            let around = machine.groups_of(id).all(|(group, _)| {
                let run = &instance.stages[usize::from(group.0)];
                !run.lost && !run.reached && !run.failed && !run.dropped && run.phase != Phase::Over
            });
            if stopped || !around { Asks::Nothing } else { Asks::Start }
        }
    }
}

/// The questions behind a guard.
fn tree(
    guard: &Tree,
    places: &Places,
    channel: Option<crate::model::Channel>,
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

    fn moment(&mut self, at: Moment) {
        self.bytes.extend((at.0.ms() - self.now.ms()).to_le_bytes());
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
