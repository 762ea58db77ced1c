//! A policy as a rule of the house looks at it. What costs time is found out once, and only if asked.

use std::cell::OnceCell;

use crate::language::Policy;
use crate::language::condition::{Condition, Expr};
use crate::language::policy::{Action, Stage, Strategy, TextRange};
use crate::machine::catalog::Catalog;
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
        let mut beyond = Vec::new();
        if !side_is(&self.policy.strategy, side, channels, None, &mut beyond) && beyond.is_empty() {
            // Everything may be left out.
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

/// Whether a strategy always begins or ends with one of the channels; gathers those that are not.
fn side_is(
    strategy: &Strategy,
    side: Side,
    channels: &[Channel],
    used_at: Option<&TextRange>,
    beyond: &mut Vec<Sends>,
) -> bool {
    let stages: Vec<&Stage> = match side {
        Side::First => strategy.stages.iter().collect(),
        Side::Last => strategy.stages.iter().rev().collect(),
    };
    for stage in stages {
        let at = used_at.unwrap_or(&stage.at);
        let is = match &stage.action {
            Action::Wait(_) => continue,
            Action::Channel(channel) => {
                let is = channels.contains(&channel.channel);
                if !is {
                    beyond.push(Sends { channel: channel.channel, at: at.clone() });
                }
                is
            }
            Action::Group { members, .. } => {
                let mut inside = Vec::new();
                let is = members.iter().any(|m| side_is(m, side, channels, used_at, &mut inside));
                if !is {
                    beyond.append(&mut inside);
                }
                is
            }
            Action::Use { strategy, .. } => side_is(strategy, side, channels, Some(at), beyond),
        };
        // What a guard leaves out leaves its place to its neighbour.
        if !is || !may_be_left_out(stage) {
            return is;
        }
    }
    false
}

/// Whether a stage has a guard that chooses whom or what it is for. One that only looks at whether it
/// can and need be sent leaves it where it is.
fn may_be_left_out(stage: &Stage) -> bool {
    let chooses = |guard: &Option<Condition>| guard.as_ref().is_some_and(|guard| chooses(&guard.expr));
    chooses(&stage.only_if) || chooses(&stage.unless)
}

fn chooses(expr: &Expr) -> bool {
    match expr {
        Expr::And(all) | Expr::Or(all) => all.iter().any(chooses),
        Expr::Not(inner) => chooses(inner),
        Expr::Word(_) | Expr::HasAddress(_) => false,
        Expr::Compare(_) => true,
    }
}
