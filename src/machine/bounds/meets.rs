//! Whether what follows a stage can start in the instant of an attempt of it.
//!
//! An answer that takes no time comes after the timers of its instant. So where a fallback's clock
//! strikes just when a stage is tried again, both are sent before the acceptance of the first is
//! known.

use crate::language::policy::{ChannelStage, OnDoubt, Wait};
use crate::machine::plan::{Kind, Stage, StageId, StrategyId};
use crate::model::{Confirmation, Span};

use super::amounts::{Amount, Amounts};
use super::windows::longest_wait;
use super::{Measure, goal};

/// Times since a stage's start: closed stretches of milliseconds.
#[derive(Debug, Clone, Default)]
struct Times(Vec<(i64, i64)>);

impl Times {
    fn later(&self, least: i64, most: i64) -> Times {
        let later = |(from, to): &(i64, i64)| (from.saturating_add(least), to.saturating_add(most));
        Times(self.0.iter().map(later).collect())
    }

    fn meet(&self, from: i64, to: i64) -> bool {
        self.0.iter().any(|(start, end)| *start <= to && from <= *end)
    }
}

impl Measure<'_> {
    /// The most that stages behind this one send in the instant of an attempt whose acceptance
    /// reaches it. `behind` holds what each of them sends at most.
    pub(super) fn beside(&self, id: StageId, behind: &[Amounts]) -> Amount {
        let stage = self.machine.stage(id);
        let later = &self.machine.strategy(stage.strategy).stages[stage.place + 1..];
        let Some(next) = later.first().map(|next| self.machine.stage(*next)) else {
            return Amount::default();
        };
        if !is_wait(next) && next.after.is_none() {
            return Amount::default();
        }
        let attempts = self.attempts_that_reach(id);
        let clocks = self.clocks(later);
        let met = clocks.into_iter().filter(|(_, (from, to))| attempts.meet(*from, *to));
        let met: Vec<StageId> = met.map(|(id, _)| id).collect();
        if met.is_empty() {
            return Amount::default();
        }
        // One provider that is asked once has answered before anything else of that instant has; of
        // several, one may answer after what started beside it has failed and passed its turn on.
        let at_once = match &stage.kind {
            Kind::Channel(channel) => self.route(channel).len() <= 1 && channel.on_doubt != OnDoubt::Resend,
            Kind::Group { .. } | Kind::Wait(_) => false,
        };
        if !at_once {
            return behind.iter().fold(Amount::default(), |sum, amounts| sum.plus(amounts.most()));
        }
        // What starts first overtakes nothing that could start with it: durations are never zero.
        let first = |id: StageId| match &self.machine.stage(id).kind {
            Kind::Channel(channel) => self.one(channel),
            Kind::Group { .. } | Kind::Wait(_) => self.stage(id).most(),
        };
        met.into_iter().map(first).fold(Amount::default(), Amount::max)
    }

    /// When stages behind another come to their turn by their own clocks, and may start, all counted
    /// from its start.
    fn clocks(&self, later: &[StageId]) -> Vec<(StageId, (i64, i64))> {
        let mut clocks = Vec::new();
        let (mut from, mut to) = (0_i64, 0_i64);
        let mut behind_wait = false;
        for &id in later {
            let stage = self.machine.stage(id);
            match &stage.kind {
                Kind::Wait(Wait::Until { time, days, zone }) => {
                    to = to.saturating_add(longest_wait(*time, *days, zone));
                }
                Kind::Wait(Wait::For(span)) => {
                    (from, to) = (from.saturating_add(span.ms()), to.saturating_add(span.ms()));
                }
                Kind::Channel(_) | Kind::Group { .. } => {
                    let after = stage.after.map_or(0, Span::ms);
                    let turn =
                        |turn: i64| if behind_wait { turn.saturating_add(after) } else { after.max(turn) };
                    (from, to) = (turn(from), turn(to));
                    // What is held, or waits within, has not started; skipped then, it passes its turn on.
                    to = to.saturating_add(self.held(id)).saturating_add(self.first_start(id));
                    clocks.push((id, (from, to)));
                }
            }
            behind_wait = is_wait(stage);
        }
        clocks
    }

    /// When attempts can be made whose acceptance reaches the stage, counted from its start.
    fn attempts_that_reach(&self, id: StageId) -> Times {
        match &self.machine.stage(id).kind {
            Kind::Wait(_) => Times::default(),
            Kind::Channel(channel) => {
                let route = self.route(channel);
                if route.is_empty() || goal(channel, &route) != Confirmation::Accepted {
                    return Times::default();
                }
                self.attempts(id, channel)
            }
            Kind::Group { members, .. } => {
                let members = members.iter().flat_map(|member| self.attempts_of_member(*member).0);
                // Counted from the group's turn; the group starts with its first channel.
                Times(members.collect()).later(self.first_start(id).saturating_neg(), 0)
            }
        }
    }

    /// The same of a group's member, counted from the turn of the group.
    fn attempts_of_member(&self, member: StrategyId) -> Times {
        let mut all = Times::default();
        // When its stages start: the first by the clock, what follows whenever that fails.
        let (mut from, mut to) = (0_i64, 0_i64);
        for (place, &id) in self.machine.strategy(member).stages.iter().enumerate() {
            let stage = self.machine.stage(id);
            if place == 0 {
                let after = stage.after.map_or(0, Span::ms);
                let within = self.held(id).saturating_add(self.first_start(id));
                (from, to) = (after, after.saturating_add(within));
            }
            all.0.extend(self.attempts_that_reach(id).later(from, to).0);
            if let Kind::Wait(Wait::For(span)) = &stage.kind {
                from = from.saturating_add(span.ms());
            }
            to = i64::MAX;
        }
        all
    }

    /// When attempts of a channel can be made, counted from its start.
    fn attempts(&self, id: StageId, channel: &ChannelStage) -> Times {
        let (repeat, retry) = (channel.repeat, channel.retry);
        let held = self.held(id);
        // It starts while its windows let it; so what holds a later attempt lies wholly between.
        let held_at_least = self.held_at_least(id);
        let sends = (0..=repeat.map_or(0, |repeat| i64::from(repeat.times)))
            .map(move |n| n.saturating_mul(repeat.map_or(0, |repeat| repeat.every.ms())));
        let times = sends.flat_map(move |send| {
            (0..=retry.times).scan((send, i64::from(send > 0)), move |(at, holds), n| {
                if n > 0 {
                    *at = at.saturating_add(retry.pause(n).ms());
                    *holds = holds.saturating_add(1);
                }
                Some((*at, *holds))
            })
        });
        let mut all = Times::default();
        for (at, holds) in times {
            all.0.push((at, at));
            if held > 0 && at > 0 {
                let most = at.saturating_add(held.saturating_mul(holds));
                all.0.push((at.max(held_at_least), most));
            }
        }
        all
    }
}

fn is_wait(stage: &Stage) -> bool {
    matches!(stage.kind, Kind::Wait(_))
}
