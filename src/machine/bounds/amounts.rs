//! Sends and what they cost.

use crate::language::policy::{ChannelStage, GroupKind, OnDoubt};
use crate::machine::plan::{Kind, StageId, StrategyId};
use crate::model::{Confirmation, Money};

use super::{Measure, goal};

/// Sends and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    pub(super) sends: u32,
    pub(super) cost: i64,
}

impl Amount {
    pub(super) fn plus(self, other: Amount) -> Amount {
        Amount {
            sends: self.sends.saturating_add(other.sends),
            cost: self.cost.saturating_add(other.cost).min(Money::MICROS_MAX),
        }
    }
    pub(super) fn max(self, other: Amount) -> Amount {
        Amount { sends: self.sends.max(other.sends), cost: self.cost.max(other.cost) }
    }
    pub(super) fn times(self, times: u32) -> Amount {
        Amount {
            sends: self.sends.saturating_mul(times),
            cost: self.cost.saturating_mul(i64::from(times)).min(Money::MICROS_MAX),
        }
    }
}

/// What a stage or strategy sends at most where it goes on after it, and where it is reached by an
/// acceptance, so that nothing does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Amounts {
    pub(super) on: Amount,
    pub(super) over: Option<Amount>,
}

impl Amounts {
    pub(super) fn most(self) -> Amount {
        self.over.map_or(self.on, |over| over.max(self.on))
    }
}

impl Measure<'_> {
    pub(super) fn strategy(&self, id: StrategyId) -> Amounts {
        let stages = &self.machine.strategy(id).stages;
        let all: Vec<Amounts> = stages.iter().map(|stage| self.stage(*stage)).collect();
        let mut so_far = Amount::default();
        let mut over: Option<Amount> = None;
        for (place, (&stage, amounts)) in stages.iter().zip(&all).enumerate() {
            if let Some(stage_over) = amounts.over {
                // What follows may start in the instant of an attempt, before its answer.
                let beside = self.beside(stage, &all[place + 1..]);
                let total = so_far.plus(stage_over).plus(beside);
                over = Some(over.map_or(total, |most| most.max(total)));
            }
            so_far = so_far.plus(amounts.on);
        }
        Amounts { on: so_far, over }
    }

    pub(super) fn stage(&self, id: StageId) -> Amounts {
        match &self.machine.stage(id).kind {
            Kind::Wait(_) => Amounts::default(),
            Kind::Group { kind, members, .. } => {
                let members: Vec<_> = members.iter().map(|member| self.strategy(*member)).collect();
                let most = members.iter().fold(Amount::default(), |sum, member| sum.plus(member.most()));
                let ends = members.iter().any(|member| member.over.is_some());
                let on = members.iter().fold(Amount::default(), |sum, member| sum.plus(member.on));
                // A member that is reached ends an `any of`, and not yet an `all of`.
                let on = if *kind == GroupKind::All { on.max(self.but_one(&members)) } else { on };
                Amounts { on, over: ends.then_some(most) }
            }
            Kind::Channel(channel) => self.channel(channel),
        }
    }

    /// The most where one member goes on and the others do what they do at most.
    fn but_one(&self, members: &[Amounts]) -> Amount {
        let one = |out: usize| {
            members.iter().enumerate().fold(Amount::default(), |sum, (place, member)| {
                sum.plus(if place == out { member.on } else { member.most() })
            })
        };
        (0..members.len()).map(one).fold(Amount::default(), Amount::max)
    }

    fn channel(&self, channel: &ChannelStage) -> Amounts {
        let route = self.route(channel);
        if route.is_empty() {
            return Amounts::default();
        }
        let one = self.one(channel);
        let resends = if channel.on_doubt == OnDoubt::Resend { 3 } else { 1 };
        let repeats = 1 + channel.repeat.map_or(0, |repeat| repeat.times);
        let all = one.times(resends).times(repeats);
        if goal(channel, &route) != Confirmation::Accepted {
            return Amounts { on: all, over: None };
        }
        // Reached by the acceptance itself: only what is in doubt and given up can come before it.
        match channel.on_doubt {
            OnDoubt::Wait => Amounts { on: Amount::default(), over: Some(one) },
            OnDoubt::MoveOn => Amounts { on: one.times(repeats), over: Some(one.times(repeats)) },
            OnDoubt::Resend => Amounts { on: one.times(2).times(repeats), over: Some(all) },
        }
    }

    /// One send of a channel, by the dearest of its providers.
    pub(super) fn one(&self, channel: &ChannelStage) -> Amount {
        let prices = self.route(channel).into_iter().map(|provider| provider.price);
        prices.max().map_or_else(Amount::default, |cost| Amount { sends: 1, cost })
    }
}
