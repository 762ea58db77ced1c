//! A machine as it was written: stages below one another, with what each says, for those who say it
//! in other words.

use crate::language::condition::Expr;
use crate::language::policy::{ChannelStage, GroupKind, Wait};
use crate::model::{Span, Window};

use super::plan::{Guard, Kind, Machine, StageId, StrategyId, Tree};

/// A stage.
#[derive(Debug, Clone)]
pub struct Outline<'a> {
    /// Its place in the text.
    pub id: StageId,
    /// What it does.
    pub action: OutlineAction<'a>,
    /// `after`.
    pub after: Option<Span>,
    /// `if`.
    pub only_if: Option<Expr>,
    /// `unless`.
    pub unless: Option<Expr>,
    /// `between`.
    pub between: Option<&'a Window>,
}

/// What a stage does.
#[derive(Debug, Clone)]
pub enum OutlineAction<'a> {
    /// Sends.
    Channel(&'a ChannelStage),
    /// Holds.
    Wait(&'a Wait),
    /// Starts all its members.
    Group(GroupKind, Vec<Vec<Outline<'a>>>),
    /// Does what another policy says.
    Use(&'a str, Vec<Outline<'a>>),
}

impl Machine {
    /// The policy's strategy.
    #[must_use]
    pub fn outline(&self) -> Vec<Outline<'_>> {
        self.outline_of(StrategyId(0))
    }

    /// The condition under which the quiet hours do not hold.
    #[must_use]
    pub fn quiet_unless(&self) -> Option<Expr> {
        self.quiet_unless.as_ref().map(|guard| self.expr(&guard.tree))
    }

    fn outline_of(&self, id: StrategyId) -> Vec<Outline<'_>> {
        self.strategy(id).stages.iter().map(|stage| self.stage_outline(*stage)).collect()
    }

    fn stage_outline(&self, id: StageId) -> Outline<'_> {
        let stage = self.stage(id);
        let action = match &stage.kind {
            Kind::Channel(channel) => OutlineAction::Channel(channel),
            Kind::Wait(wait) => OutlineAction::Wait(wait),
            Kind::Group { used: Some(policy), members, .. } => OutlineAction::Use(
                policy,
                members.iter().flat_map(|member| self.outline_of(*member)).collect(),
            ),
            Kind::Group { kind, members, .. } => {
                OutlineAction::Group(*kind, members.iter().map(|member| self.outline_of(*member)).collect())
            }
        };
        let expr = |guard: &Option<Guard>| guard.as_ref().map(|guard| self.expr(&guard.tree));
        let (only_if, unless) = (expr(&stage.only_if), expr(&stage.unless));
        Outline { id, action, after: stage.after, only_if, unless, between: stage.between.as_ref() }
    }

    fn expr(&self, tree: &Tree) -> Expr {
        let all = |parts: &[Tree]| parts.iter().map(|part| self.expr(part)).collect();
        match tree {
            Tree::And(parts) => Expr::And(all(parts)),
            Tree::Or(parts) => Expr::Or(all(parts)),
            Tree::Not(part) => Expr::Not(Box::new(self.expr(part))),
            Tree::Word(word) => Expr::Word(*word),
            Tree::HasAddress(channel) => Expr::HasAddress(*channel),
            Tree::Compare(index) => Expr::Compare(self.comparisons[usize::from(*index)].clone()),
        }
    }
}
