//! A policy as a rule of the house looks at it. What costs time is found out once, and only if asked.

use std::cell::OnceCell;

use crate::language::condition::{Condition, Expr};
use crate::language::policy::{Action, Stage, Strategy, TextRange};
use crate::language::{Counterexample, Policy};
use crate::lint::analysis::{Scope, Table, changes_over_time, run_where};
use crate::machine::catalog::Catalog;
use crate::machine::explore::Seen;
use crate::machine::{Bounds, bounds, compile};
use crate::model::Channel;

/// A policy, with what is known around it.
#[derive(Debug)]
pub struct Look<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The text that it stands in.
    pub source: &'a str,
    /// The providers.
    pub catalog: &'a Catalog,
    bounds: OnceCell<Bounds>,
}

/// A stage that sends, and where it is told: at the `use`, where it was written elsewhere.
#[derive(Debug, Clone)]
pub(super) struct Sends {
    pub(super) channel: Channel,
    pub(super) at: TextRange,
}

/// Which end of a strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// What is sent first.
    First,
    /// What is sent last, if nothing has been reached.
    Last,
}

impl<'a> Look<'a> {
    pub(in crate::lint) fn new(policy: &'a Policy, source: &'a str, catalog: &'a Catalog) -> Look<'a> {
        Look { policy, source, catalog, bounds: OnceCell::new() }
    }

    /// How much it can send, cost and last.
    pub(super) fn bounds(&self) -> Bounds {
        *self.bounds.get_or_init(|| bounds(&compile(self.policy), self.catalog))
    }

    /// A shortest run in which it is so at some step, where one is found soon.
    pub(super) fn run_where(&self, so: &dyn Fn(&Seen<'_>) -> bool) -> Option<Counterexample> {
        run_where(&compile(self.policy), self.catalog, so)
    }

    /// The policy's name where it is written; of a bare strategy its first line.
    pub(super) fn name(&self) -> TextRange {
        let text = self.source.get(self.policy.at.clone()).unwrap_or_default();
        let start = self.policy.at.start;
        let name = text.strip_prefix("policy").and_then(|rest| rest.find(self.policy.name.as_str()));
        match name.map(|at| start + "policy".len() + at) {
            Some(at) => at..at + self.policy.name.len(),
            None => start..start + text.lines().next().unwrap_or_default().trim_end().len(),
        }
    }

    /// Every channel stage, in the order of the text.
    pub(super) fn sends(&self) -> Vec<(Sends, &'a crate::language::policy::ChannelStage)> {
        let mut all = Vec::new();
        every(&self.policy.strategy, None, &mut |at, stage| {
            all.push((Sends { channel: stage.channel, at }, stage));
        });
        all
    }

    /// The channels with which the policy begins or ends that are none of `channels`, with the place
    /// of each. Where one of them is in a group, the others beside it do not matter.
    pub(super) fn side_beyond(&self, side: Side, channels: &[Channel]) -> Vec<Sends> {
        let scope = Scope::relaxed(self.policy.headers.vars.as_ref());
        let mut walk = SideWalk { side, channels, scope, held: Vec::new() };
        let (mut beyond, may_send_nothing) = walk.beyond(&self.policy.strategy, None);
        if beyond.is_empty() && may_send_nothing {
            let at =
                self.policy.strategy.stages.first().map_or_else(|| self.name(), |stage| stage.at.clone());
            beyond.extend(self.sends().first().map(|(sends, _)| Sends { at, ..sends.clone() }));
        }
        beyond
    }
}

fn every<'a>(
    strategy: &'a Strategy,
    used_at: Option<&TextRange>,
    look: &mut dyn FnMut(TextRange, &'a crate::language::policy::ChannelStage),
) {
    for stage in &strategy.stages {
        let at = used_at.unwrap_or(&stage.at);
        match &stage.action {
            Action::Channel(channel) => look(at.clone(), channel),
            Action::Group { members, .. } => members.iter().for_each(|member| every(member, used_at, look)),
            Action::Use { strategy, .. } => every(strategy, Some(at), look),
            Action::Wait(_) => {}
        }
    }
}

/// Walks a strategy from one of its ends as far as guards may leave out what stands there.
struct SideWalk<'a> {
    side: Side,
    channels: &'a [Channel],
    scope: Scope<'a>,
    /// What holds for the messages with which the walk stands where it does: what it passed is left out, and what
    /// it is inside of starts.
    held: Vec<Expr>,
}

impl SideWalk<'_> {
    /// With which other channels a strategy can begin or end, and whether it may send nothing.
    fn beyond(&mut self, strategy: &Strategy, used_at: Option<&TextRange>) -> (Vec<Sends>, bool) {
        let (before, mut beyond) = (self.held.len(), Vec::new());
        let stages: Vec<&Stage> = match self.side {
            Side::First => strategy.stages.iter().collect(),
            Side::Last => strategy.stages.iter().rev().collect(),
        };
        let mut may_send_nothing = true;
        for stage in stages {
            let own = self.held.len();
            self.held.extend(guard_out(stage).map(|out| Expr::Not(Box::new(out))));
            if self.is_possible() {
                beyond.extend(self.beyond_of(stage, used_at));
            }
            self.held.truncate(own);
            // What a guard leaves out leaves its place to its neighbour.
            let absent = absent(stage);
            may_send_nothing = absent.is_some();
            self.held.extend(absent);
            may_send_nothing &= self.is_possible();
            if !may_send_nothing {
                break;
            }
        }
        self.held.truncate(before);
        (beyond, may_send_nothing)
    }

    /// The same of a stage that its guard lets start.
    fn beyond_of(&mut self, stage: &Stage, used_at: Option<&TextRange>) -> Vec<Sends> {
        let at = used_at.unwrap_or(&stage.at);
        match &stage.action {
            Action::Wait(_) => Vec::new(),
            Action::Channel(channel) if self.channels.contains(&channel.channel) => Vec::new(),
            Action::Channel(channel) => vec![Sends { channel: channel.channel, at: at.clone() }],
            Action::Use { strategy, .. } => self.beyond(strategy, Some(at)).0,
            Action::Group { members, .. } => {
                let own = self.held.len();
                let mut beyond = Vec::new();
                for member in members {
                    let others = self.beyond(member, used_at).0;
                    match others.is_empty() {
                        true => self.held.push(none_of(member).unwrap_or(NEVER)),
                        false => beyond.extend(others),
                    }
                }
                // One member that does is enough, whichever of them is there.
                if self.held.len() > own && !self.is_possible() {
                    beyond.clear();
                }
                self.held.truncate(own);
                beyond
            }
        }
    }

    /// Whether there are messages for which all that was passed is left out. What may change from one stage to
    /// the next, and what is too much to look at, is taken as possible.
    fn is_possible(&self) -> bool {
        let fixed: Vec<&Expr> = self.held.iter().filter(|expr| !changes_over_time(expr)).collect();
        let wanted: Vec<(&Expr, bool)> = fixed.iter().map(|expr| (*expr, true)).collect();
        Table::of(&fixed, &self.scope).is_none_or(|table| table.allows(&wanted))
    }
}

/// What holds never.
const NEVER: Expr = Expr::Or(Vec::new());

/// When nothing of a strategy is there; `None`: never.
fn none_of(strategy: &Strategy) -> Option<Expr> {
    strategy.stages.iter().map(absent).collect::<Option<Vec<_>>>().map(Expr::And)
}

/// When a stage, or all that is inside it, is left out; `None`: never.
fn absent(stage: &Stage) -> Option<Expr> {
    let inside = match &stage.action {
        Action::Wait(_) => Some(Expr::And(Vec::new())),
        Action::Channel(_) => None,
        Action::Group { members, .. } => {
            members.iter().map(none_of).collect::<Option<Vec<_>>>().map(Expr::And)
        }
        Action::Use { strategy, .. } => none_of(strategy),
    };
    let parts: Vec<Expr> = guard_out(stage).into_iter().chain(inside).collect();
    (!parts.is_empty()).then_some(Expr::Or(parts))
}

/// When a guard leaves a stage out that chooses whom or what it is for; `None`: never. One that only looks at
/// whether it can and need be sent leaves it where it is.
fn guard_out(stage: &Stage) -> Option<Expr> {
    let guard =
        |guard: &Option<Condition>| guard.as_ref().map(|guard| guard.expr.clone()).filter(Expr::compares);
    let only_if = guard(&stage.only_if).map(|expr| Expr::Not(Box::new(expr)));
    let parts: Vec<Expr> = only_if.into_iter().chain(guard(&stage.unless)).collect();
    (!parts.is_empty()).then_some(Expr::Or(parts))
}
