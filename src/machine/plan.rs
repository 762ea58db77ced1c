//! The compiled form of a policy.
//!
//! Stages and strategies lie in two tables in the order of the text, so that an instance can name
//! them by their place; the graph over their beginnings and ends is what the bounds, the drawings
//! and the proofs walk.

use petgraph::graph::{DiGraph, NodeIndex};

use crate::language::condition::{Comparison, Expr, Word};
use crate::language::policy::{ChannelStage, GroupKind, Headers, Wait};
use crate::model::{Channel, Reason, Span, Window};

/// A stage, by its place in the text: groups, `use` and waits counted, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StageId(pub u16);

/// A strategy, by the place of its first stage in the text; the policy's own is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrategyId(pub u16);

/// A compiled policy. What was published compiles for ever, and to the same machine.
#[derive(Debug, Clone)]
pub struct Machine {
    pub(super) name: String,
    pub(super) headers: Headers,
    pub(super) otherwise: Option<String>,
    pub(super) uses: Vec<String>,
    pub(super) stages: Vec<Stage>,
    pub(super) strategies: Vec<Strategy>,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) quiet_unless: Option<Guard>,
    pub(super) graph: DiGraph<Node, Way>,
}

/// A compiled stage.
#[derive(Debug, Clone)]
pub(super) struct Stage {
    /// The strategy that it stands in.
    pub(super) strategy: StrategyId,
    /// Its place there.
    pub(super) place: usize,
    pub(super) kind: Kind,
    pub(super) after: Option<Span>,
    pub(super) only_if: Option<Guard>,
    pub(super) unless: Option<Guard>,
    pub(super) between: Option<Window>,
    /// Its place among the channel stages, from 1; 0 for what is none.
    pub(super) number: u16,
}

/// What a stage does.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Channel(ChannelStage),
    /// A group, or a `use`, which is a group of one.
    Group {
        kind: GroupKind,
        members: Vec<StrategyId>,
        used: Option<String>,
    },
    Wait(Wait),
}

/// Stages joined by `then`.
#[derive(Debug, Clone)]
pub(super) struct Strategy {
    /// The group or `use` that it belongs to.
    pub(super) owner: Option<StageId>,
    pub(super) stages: Vec<StageId>,
}

/// A condition whose comparisons are numbers into the machine's table.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) tree: Tree,
    pub(super) text: String,
}

#[derive(Debug, Clone)]
pub(super) enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    Word(Word),
    HasAddress(Channel),
    Compare(u16),
}

/// A node of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Node {
    /// The message is accepted.
    Start,
    /// A stage's turn comes.
    Begin(StageId),
    /// A stage is at its end, or overtaken.
    End(StageId),
    /// The message ends, its strategy reached.
    Reached,
    /// The message ends, its strategy not reached.
    Unreached,
}

/// An edge of the graph: what leads from one node to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// The first stage of a strategy begins, after this time.
    First(Option<Span>),
    /// A group's members begin together.
    Fork,
    /// A member's end goes into the group's.
    Join,
    /// The stage runs.
    Run,
    /// The stage before failed, or could not run.
    Failed,
    /// The stage before was skipped or could not run, and passes its turn on.
    Passed,
    /// The stage before was not reached in this time.
    After(Span),
    /// The stage before began, and a `wait` with it.
    Alongside,
    /// The wait is over.
    Over,
    /// The stage was reached.
    Reached,
    /// Nothing is left to start.
    Exhausted,
}

impl Machine {
    /// The policy's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The policy's headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The `why` of `otherwise fail`.
    #[must_use]
    pub fn otherwise(&self) -> Option<&str> {
        self.otherwise.as_deref()
    }

    /// The `name@version` of every used policy.
    #[must_use]
    pub fn uses(&self) -> &[String] {
        &self.uses
    }

    /// The graph; acyclic.
    #[must_use]
    pub fn graph(&self) -> &DiGraph<Node, Way> {
        &self.graph
    }

    /// The channel stages, in the order of the text.
    pub fn channel_stages(&self) -> impl Iterator<Item = (StageId, &ChannelStage)> {
        self.ids().filter_map(|id| self.channel(id).map(|channel| (id, channel)))
    }

    /// The channel stage of that number, counted from 1 over channel stages alone.
    #[must_use]
    pub fn stage_numbered(&self, number: u16) -> Option<StageId> {
        self.ids().find(|id| number > 0 && self.stage(*id).number == number)
    }

    /// A stage's number among the channel stages, from 1; `None` for groups and waits.
    #[must_use]
    pub fn number(&self, id: StageId) -> Option<u16> {
        Some(self.stage(id).number).filter(|n| *n > 0)
    }

    /// What a stage sends; `None` for groups and waits.
    #[must_use]
    pub fn channel(&self, id: StageId) -> Option<&ChannelStage> {
        match &self.stage(id).kind {
            Kind::Channel(channel) => Some(channel),
            Kind::Group { .. } | Kind::Wait(_) => None,
        }
    }

    /// The comparison of that number.
    #[must_use]
    pub fn comparison(&self, index: u16) -> Option<&Comparison> {
        self.comparisons.get(usize::from(index))
    }

    pub(super) fn ids(&self) -> impl DoubleEndedIterator<Item = StageId> + use<> {
        (0..u16::try_from(self.stages.len()).unwrap_or(u16::MAX)).map(StageId)
    }

    pub(super) fn stage(&self, id: StageId) -> &Stage {
        &self.stages[usize::from(id.0)]
    }

    pub(super) fn strategy(&self, id: StrategyId) -> &Strategy {
        &self.strategies[usize::from(id.0)]
    }

    /// The groups that a stage stands in, from the innermost.
    pub(super) fn groups_of(&self, id: StageId) -> impl Iterator<Item = (StageId, GroupKind)> {
        std::iter::successors(self.owner_of(id), |group| self.owner_of(*group)).filter_map(
            |group| match &self.stage(group).kind {
                Kind::Group { kind, .. } => Some((group, *kind)),
                Kind::Channel(_) | Kind::Wait(_) => None,
            },
        )
    }

    fn owner_of(&self, id: StageId) -> Option<StageId> {
        self.strategy(self.stage(id).strategy).owner
    }

    /// The node of the graph, for whoever built it: every stage has both of its nodes.
    pub(super) fn node(&self, node: Node) -> Option<NodeIndex> {
        self.graph.node_indices().find(|index| self.graph[*index] == node)
    }
}

impl Guard {
    /// The reason of a stage that this `unless` skips: its word where it is one word.
    pub(super) fn reason(&self) -> Reason {
        use crate::model::Confirmation::{Accepted, Delivered, Read, Replied};
        match self.tree {
            Tree::Word(Word::Quota) => Reason::Quota,
            Tree::Word(Word::Quiet) => Reason::Quiet,
            Tree::Word(Word::OptedOut) => Reason::OptedOut,
            Tree::Word(Word::Tripped) => Reason::Tripped,
            Tree::Word(Word::Confirmed(Read)) => Reason::Read,
            Tree::Word(Word::Confirmed(Delivered)) => Reason::Delivered,
            Tree::Word(Word::Confirmed(Replied)) => Reason::Replied,
            Tree::Word(Word::Confirmed(Accepted))
            | Tree::And(_)
            | Tree::Or(_)
            | Tree::Not(_)
            | Tree::HasAddress(_)
            | Tree::Compare(_) => Reason::Skipped,
        }
    }
}

impl Tree {
    /// Whether it asks for a word.
    pub(super) fn has_word(&self, word: Word) -> bool {
        match self {
            Tree::And(parts) | Tree::Or(parts) => parts.iter().any(|part| part.has_word(word)),
            Tree::Not(part) => part.has_word(word),
            Tree::Word(own) => *own == word,
            Tree::HasAddress(_) | Tree::Compare(_) => false,
        }
    }

    /// Numbers the comparisons of `expr`, those that stand already under their old number.
    pub(super) fn of(expr: &Expr, table: &mut Vec<Comparison>) -> Tree {
        let mut all = |parts: &[Expr]| parts.iter().map(|part| Tree::of(part, table)).collect();
        match expr {
            Expr::And(parts) => Tree::And(all(parts)),
            Expr::Or(parts) => Tree::Or(all(parts)),
            Expr::Not(part) => Tree::Not(Box::new(Tree::of(part, table))),
            Expr::Word(word) => Tree::Word(*word),
            Expr::HasAddress(channel) => Tree::HasAddress(*channel),
            Expr::Compare(comparison) => {
                let index = table.iter().position(|known| known == comparison).unwrap_or_else(|| {
                    table.push(comparison.clone());
                    table.len() - 1
                });
                Tree::Compare(u16::try_from(index).unwrap_or(u16::MAX))
            }
        }
    }
}
