//! Checked policy to machine: the tables first, then the graph over them.

use petgraph::graph::{DiGraph, NodeIndex};

use crate::language::condition::{Comparison, Condition};
use crate::language::policy::{self, Action, Policy};

use super::plan::{Guard, Kind, Machine, Node, Stage, StageId, Strategy, StrategyId, Tree, Way};

/// Compiles a checked policy. It cannot fail: the checker bounds the number of stages far below
/// what a [`StageId`] can name.
#[must_use]
pub fn compile(policy: &Policy) -> Machine {
    let mut tables =
        Tables { stages: Vec::new(), strategies: Vec::new(), comparisons: Vec::new(), channels: 0 };
    let quiet_unless = policy.headers.quiet.as_ref().and_then(|quiet| tables.guard(quiet.unless.as_ref()));
    tables.strategy(&policy.strategy, None);
    let graph = Graph::over(&tables);
    Machine {
        name: policy.name.clone(),
        headers: policy.headers.clone(),
        otherwise: policy.otherwise.clone(),
        uses: policy.uses.clone(),
        stages: tables.stages,
        strategies: tables.strategies,
        comparisons: tables.comparisons,
        quiet_unless,
        graph,
    }
}

struct Tables {
    stages: Vec<Stage>,
    strategies: Vec<Strategy>,
    comparisons: Vec<Comparison>,
    channels: u16,
}

fn place(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

impl Tables {
    fn strategy(&mut self, strategy: &policy::Strategy, owner: Option<StageId>) -> StrategyId {
        let id = StrategyId(place(self.strategies.len()));
        self.strategies.push(Strategy { owner, stages: Vec::new() });
        for (place, stage) in strategy.stages.iter().enumerate() {
            let stage = self.stage(stage, id, place);
            self.strategies[usize::from(id.0)].stages.push(stage);
        }
        id
    }

    fn stage(&mut self, stage: &policy::Stage, strategy: StrategyId, at: usize) -> StageId {
        let id = StageId(place(self.stages.len()));
        let (only_if, unless) = (self.guard(stage.only_if.as_ref()), self.guard(stage.unless.as_ref()));
        let (kind, number) = match &stage.action {
            Action::Channel(channel) => {
                self.channels += 1;
                (Kind::Channel(channel.clone()), self.channels)
            }
            Action::Wait(wait) => (Kind::Wait(wait.clone()), 0),
            Action::Group { kind, .. } => (Kind::Group { kind: *kind, members: Vec::new(), used: None }, 0),
            Action::Use { policy, .. } => {
                let used = Some(policy.clone());
                (Kind::Group { kind: policy::GroupKind::Any, members: Vec::new(), used }, 0)
            }
        };
        let (after, between) = (stage.after, stage.between.clone());
        self.stages.push(Stage { strategy, place: at, kind, after, only_if, unless, between, number });
        let inner: &[policy::Strategy] = match &stage.action {
            Action::Channel(_) | Action::Wait(_) => &[],
            Action::Group { members, .. } => members,
            Action::Use { strategy, .. } => std::slice::from_ref(strategy),
        };
        let inner: Vec<_> = inner.iter().map(|member| self.strategy(member, Some(id))).collect();
        if let Kind::Group { members, .. } = &mut self.stages[usize::from(id.0)].kind {
            *members = inner;
        }
        id
    }

    fn guard(&mut self, condition: Option<&Condition>) -> Option<Guard> {
        let condition = condition?;
        Some(Guard { tree: Tree::of(&condition.expr, &mut self.comparisons), text: condition.text.clone() })
    }
}

struct Graph<'a> {
    tables: &'a Tables,
    graph: DiGraph<Node, Way>,
    begins: Vec<NodeIndex>,
    ends: Vec<NodeIndex>,
}

impl Graph<'_> {
    fn over(tables: &Tables) -> DiGraph<Node, Way> {
        let mut graph = DiGraph::new();
        let start = graph.add_node(Node::Start);
        let ids = || (0..place(tables.stages.len())).map(StageId);
        let begins = ids().map(|id| graph.add_node(Node::Begin(id))).collect();
        let ends = ids().map(|id| graph.add_node(Node::End(id))).collect();
        let (reached, unreached) = (graph.add_node(Node::Reached), graph.add_node(Node::Unreached));
        let mut this = Graph { tables, graph, begins, ends };
        this.strategy(StrategyId(0), start, reached, unreached, None);
        this.graph
    }

    fn begin(&self, id: StageId) -> NodeIndex {
        self.begins[usize::from(id.0)]
    }

    fn end(&self, id: StageId) -> NodeIndex {
        self.ends[usize::from(id.0)]
    }

    /// Draws a strategy from `from`; `fork` is the edge into it where it is a member.
    fn strategy(
        &mut self,
        id: StrategyId,
        from: NodeIndex,
        reached: NodeIndex,
        unreached: NodeIndex,
        fork: Option<Way>,
    ) {
        let tables = self.tables;
        let stages = &tables.strategies[usize::from(id.0)].stages;
        let stage = |id: StageId| &tables.stages[usize::from(id.0)];
        for (place, &id) in stages.iter().enumerate() {
            let (begin, end) = (self.begin(id), self.end(id));
            match place.checked_sub(1).map(|before| stages[before]) {
                None => {
                    let way = match (stage(id).after, fork) {
                        (None, Some(fork)) => fork,
                        (after, _) => Way::First(after),
                    };
                    self.graph.add_edge(from, begin, way);
                }
                Some(before) => self.follow(before, id),
            }
            match &stage(id).kind {
                Kind::Channel(_) => {
                    self.graph.add_edge(begin, end, Way::Run);
                }
                Kind::Wait(_) => {
                    self.graph.add_edge(begin, end, Way::Over);
                }
                Kind::Group { members, .. } => {
                    for &member in members {
                        self.strategy(member, begin, end, end, Some(Way::Fork));
                    }
                }
            }
            let join = |way| if fork.is_some() { Way::Join } else { way };
            let last = place + 1 == stages.len();
            if last && fork.is_some() {
                self.graph.add_edge(end, reached, Way::Join);
            } else {
                if !matches!(stage(id).kind, Kind::Wait(_)) {
                    self.graph.add_edge(end, reached, join(Way::Reached));
                }
                if last {
                    self.graph.add_edge(end, unreached, join(Way::Exhausted));
                }
            }
        }
    }

    /// The ways from one stage to the one after it.
    fn follow(&mut self, before: StageId, id: StageId) {
        let tables = self.tables;
        let stage = |id: StageId| &tables.stages[usize::from(id.0)];
        let (begin, before_begin, before_end) = (self.begin(id), self.begin(before), self.end(before));
        let waits = |id: StageId| matches!(stage(id).kind, Kind::Wait(_));
        match (waits(before), waits(id), stage(id).after) {
            (true, _, Some(after)) => {
                self.graph.add_edge(before_end, begin, Way::After(after));
            }
            (true, _, None) => {
                self.graph.add_edge(before_end, begin, Way::Over);
            }
            (false, true, _) => {
                self.graph.add_edge(before_begin, begin, Way::Alongside);
            }
            (false, false, after) => {
                if let Some(after) = after {
                    self.graph.add_edge(before_begin, begin, Way::After(after));
                }
                self.graph.add_edge(before_end, begin, Way::Failed);
                if stage(before).only_if.is_some() || stage(before).unless.is_some() {
                    self.graph.add_edge(before_end, begin, Way::Passed);
                }
            }
        }
    }
}
