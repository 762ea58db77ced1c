//! The parts of a machine that a run can come by: states, edges, and what guards decide.

use std::collections::BTreeSet;

use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::machine::instance::{Instance, Phase, StageRun};
use crate::machine::plan::{Kind, Machine, Node, StageId, StrategyId, Way};
use crate::model::Status;

/// Something that a run comes by, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A node of the graph, by its index.
    State(usize),
    /// An edge of the graph, by its index.
    Edge(usize),
    /// What one of a stage's guards decided: to go on, or to skip the stage.
    Guard(StageId, GuardWord, bool),
    /// Whether quiet hours hold a stage that comes in them, as their `unless` decided.
    Quiet(bool),
}

/// Which guard of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuardWord {
    /// `if`.
    If,
    /// `unless`, which is asked where the `if` holds.
    Unless,
}

/// The parts of a machine, and what a step came by.
#[derive(Debug)]
pub struct Parts<'a> {
    machine: &'a Machine,
    all: Vec<Part>,
    nodes: Vec<(Node, NodeIndex)>,
}

impl<'a> Parts<'a> {
    /// Those of `machine`.
    #[must_use]
    pub fn of(machine: &'a Machine) -> Parts<'a> {
        let graph = machine.graph();
        let nodes: Vec<_> = graph.node_indices().map(|index| (graph[index], index)).collect();
        let mut all: Vec<Part> = Vec::new();
        // Where every message begins is no state to come to.
        all.extend(
            nodes.iter().filter(|(node, _)| *node != Node::Start).map(|(_, at)| Part::State(at.index())),
        );
        all.extend(graph.edge_indices().map(|edge| Part::Edge(edge.index())));
        for id in machine.ids() {
            let stage = machine.stage(id);
            let guards = [(GuardWord::If, &stage.only_if), (GuardWord::Unless, &stage.unless)];
            for (word, _) in guards.into_iter().filter(|(_, guard)| guard.is_some()) {
                all.extend([Part::Guard(id, word, true), Part::Guard(id, word, false)]);
            }
        }
        if machine.quiet_unless.is_some() {
            all.extend([Part::Quiet(true), Part::Quiet(false)]);
        }
        Parts { machine, all, nodes }
    }

    /// The machine.
    #[must_use]
    pub fn machine(&self) -> &Machine {
        self.machine
    }

    /// All of them: states, then edges, then guards, each in the order of the text.
    #[must_use]
    pub fn all(&self) -> &[Part] {
        &self.all
    }

    /// The node of a state.
    #[must_use]
    pub fn node(&self, index: usize) -> Option<Node> {
        self.machine.graph().node_weight(NodeIndex::new(index)).copied()
    }

    /// The ends of an edge, and what it is.
    #[must_use]
    pub fn edge(&self, index: usize) -> Option<(Node, Node, Way)> {
        let graph = self.machine.graph();
        let index = petgraph::graph::EdgeIndex::new(index);
        let (from, to) = graph.edge_endpoints(index)?;
        Some((graph[from], graph[to], graph[index]))
    }

    /// What a step came by, from the instances before and after it, and whether it was made in the quiet hours.
    pub fn came_by(&self, before: &Instance, after: &Instance, is_quiet: bool, out: &mut BTreeSet<Part>) {
        let step = Passed { parts: self, before, after, is_quiet };
        for id in self.machine.ids() {
            step.turn(id, out);
            step.end(id, out);
            step.guard(id, out);
        }
        step.message(out);
    }

    fn state(&self, node: Node, out: &mut BTreeSet<Part>) {
        if let Some((_, index)) = self.nodes.iter().find(|(known, _)| *known == node) {
            out.insert(Part::State(index.index()));
        }
    }

    fn take(&self, from: Node, to: Node, is_it: impl Fn(Way) -> bool, out: &mut BTreeSet<Part>) {
        let index = |node: Node| self.nodes.iter().find(|(known, _)| *known == node).map(|(_, index)| *index);
        let (Some(from), Some(to)) = (index(from), index(to)) else { return };
        let edges = self.machine.graph().edges_connecting(from, to);
        out.extend(edges.filter(|edge| is_it(*edge.weight())).map(|edge| Part::Edge(edge.id().index())));
    }
}

/// One step, seen from its two sides.
struct Passed<'a> {
    parts: &'a Parts<'a>,
    before: &'a Instance,
    after: &'a Instance,
    is_quiet: bool,
}

fn run(instance: &Instance, id: StageId) -> &StageRun {
    &instance.stages[usize::from(id.0)]
}

/// A stage whose guard said no, or a group all of whose members were skipped.
fn skipped(run: &StageRun) -> bool {
    run.phase == Phase::Over && !run.failed && run.reason.is_some()
}

/// A stage that is at its end, or was overtaken.
fn is_over(run: &StageRun) -> bool {
    run.phase == Phase::Over || run.failed || run.reached || run.overtaken || run.dropped
}

impl Passed<'_> {
    fn machine(&self) -> &Machine {
        self.parts.machine
    }

    fn turn_came(&self, instance: &Instance, id: StageId) -> bool {
        let stage = self.machine().stage(id);
        usize::from(instance.strategies[usize::from(stage.strategy.0)].next) > stage.place
    }

    /// A stage's turn came in this step: by which way.
    fn turn(&self, id: StageId, out: &mut BTreeSet<Part>) {
        if self.turn_came(self.before, id) || !self.turn_came(self.after, id) {
            return;
        }
        let (parts, machine) = (self.parts, self.machine());
        parts.state(Node::Begin(id), out);
        let stage = machine.stage(id);
        let strategy = machine.strategy(stage.strategy);
        let Some(place) = stage.place.checked_sub(1) else {
            let from = strategy.owner.map_or(Node::Start, Node::Begin);
            parts.take(from, Node::Begin(id), |_| true, out);
            return;
        };
        let earlier = strategy.stages[place];
        let was = run(self.after, earlier);
        let is_wait = |id: StageId| matches!(machine.stage(id).kind, Kind::Wait(_));
        let (from, way): (Node, fn(Way) -> bool) = if is_wait(earlier) {
            (Node::End(earlier), |_| true)
        } else if is_wait(id) {
            (Node::Begin(earlier), |_| true)
        } else if skipped(was) {
            // A group all of whose members were skipped has no edge of its own for that.
            let guarded = machine.stage(earlier).only_if.is_some() || machine.stage(earlier).unless.is_some();
            let passed: fn(Way) -> bool =
                if guarded { |way| way == Way::Passed } else { |way| way == Way::Failed };
            (Node::End(earlier), passed)
        } else if was.failed && !was.late && !was.overtaken {
            (Node::End(earlier), |way| way == Way::Failed)
        } else {
            (Node::Begin(earlier), |way| matches!(way, Way::After(_)))
        };
        parts.take(from, Node::Begin(id), way, out);
    }

    /// A stage came to its end in this step.
    fn end(&self, id: StageId, out: &mut BTreeSet<Part>) {
        let (was, is) = (run(self.before, id), run(self.after, id));
        let (parts, machine) = (self.parts, self.machine());
        let stage = machine.stage(id);
        let owner = machine.strategy(stage.strategy).owner;
        if is.reached && !was.reached {
            let end = owner.map_or(Node::Reached, Node::End);
            parts.take(Node::End(id), end, |_| true, out);
        }
        if !is_over(is) || is_over(was) || !self.turn_came(self.after, id) {
            return;
        }
        parts.state(Node::End(id), out);
        match &stage.kind {
            Kind::Group { members, .. } => {
                for member in members {
                    self.member(id, *member, out);
                }
            }
            Kind::Channel(_) | Kind::Wait(_) if is.started.is_some() => {
                parts.take(Node::Begin(id), Node::End(id), |_| true, out);
            }
            Kind::Channel(_) | Kind::Wait(_) => {}
        }
    }

    /// A group is at its end; where the member had come to its last stage, that led there.
    fn member(&self, group: StageId, member: StrategyId, out: &mut BTreeSet<Part>) {
        let stages = &self.machine().strategy(member).stages;
        let Some(last) = stages.last() else { return };
        if is_over(run(self.after, *last)) && self.turn_came(self.after, *last) {
            self.parts.take(Node::End(*last), Node::End(group), |_| true, out);
        }
    }

    /// A stage's guard was decided in this step.
    fn guard(&self, id: StageId, out: &mut BTreeSet<Part>) {
        let stage = self.machine().stage(id);
        let (was, is) = (run(self.before, id), run(self.after, id));
        // At other times of the day nothing comes of what it decides.
        if self.is_quiet
            && self.machine().quiet_unless.is_some()
            && was.heeds_quiet.is_none()
            && let Some(heeds) = is.heeds_quiet
        {
            out.insert(Part::Quiet(heeds));
        }
        let guarded = stage.only_if.is_some() || stage.unless.is_some();
        let held = |run: &StageRun| matches!(run.phase, Phase::Held(_));
        if !guarded || !self.turn_came(self.after, id) {
            return;
        }
        let decided = was.phase == Phase::Idle || held(was);
        if !decided {
            return;
        }
        let by_guard = match &stage.kind {
            Kind::Group { members, .. } => {
                skipped(is) && members.iter().all(|m| self.after.strategies[usize::from(m.0)].begun.is_none())
            }
            Kind::Channel(_) | Kind::Wait(_) => skipped(is),
        };
        // What is held and was held before has not been decided again.
        if by_guard || !held(is) || !held(was) {
            let dropped_before = !self.turn_came(self.before, id) && is.phase == Phase::Idle;
            if !dropped_before {
                if stage.only_if.is_some() {
                    out.insert(Part::Guard(id, GuardWord::If, !by_guard || is.by_unless));
                }
                // Not asked where the `if` does not hold.
                if stage.unless.is_some() && (!by_guard || is.by_unless || stage.only_if.is_none()) {
                    out.insert(Part::Guard(id, GuardWord::Unless, !by_guard));
                }
            }
        }
    }

    /// The message ended in this step.
    fn message(&self, out: &mut BTreeSet<Part>) {
        if self.before.ended.is_some() || self.after.ended.is_none() {
            return;
        }
        let top = self.machine().strategy(StrategyId(0));
        if top.stages.iter().any(|id| run(self.after, *id).reached) {
            self.parts.state(Node::Reached, out);
            return;
        }
        self.parts.state(Node::Unreached, out);
        let Some(last) = top.stages.last() else { return };
        let expired = self.after.status == Status::Expired;
        if !expired && self.turn_came(self.after, *last) {
            // It may still wait for nothing that could come: that is an end too.
            self.parts.state(Node::End(*last), out);
            self.parts.take(Node::End(*last), Node::Unreached, |_| true, out);
            if run(self.after, *last).started.is_some() && self.machine().channel(*last).is_some() {
                self.parts.take(Node::Begin(*last), Node::End(*last), |_| true, out);
            }
        }
    }
}
