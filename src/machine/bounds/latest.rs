//! The latest start of a send.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::visit::EdgeRef;

use crate::language::policy::{ChannelStage, Wait};
use crate::machine::plan::{Kind, Node, StageId, StrategyId, Way};
use crate::model::{Confirmation, Span};

use super::windows::{MINUTE_MS, longest_wait};
use super::{Measure, goal};

impl Measure<'_> {
    /// The longest path to the last start of a send.
    pub(super) fn latest_start(&self) -> Option<i64> {
        let at = self.latest_times();
        let last = |(id, channel): (StageId, &ChannelStage)| {
            let begun = self.machine.node(Node::Begin(id)).and_then(|node| at.get(&node))?;
            (!self.route(channel).is_empty()).then(|| begun.saturating_add(self.last_send(id, channel)))
        };
        (!at.is_empty()).then(|| self.machine.channel_stages().filter_map(last).max().unwrap_or_default())
    }

    /// When each node is come to at the latest; of the beginning of a stage, when it starts.
    pub(super) fn latest_times(&self) -> BTreeMap<petgraph::graph::NodeIndex, i64> {
        let graph = self.machine.graph();
        let mut at: BTreeMap<_, i64> = BTreeMap::new();
        for node in toposort(graph, None).unwrap_or_default() {
            let came = graph.edges_directed(node, Direction::Incoming).filter_map(|edge| {
                let from = *at.get(&edge.source())?;
                Some(from.saturating_add(self.takes(graph[edge.source()], *edge.weight())))
            });
            // Of what a stage can begin by, the earlier counts where one of them is `after`.
            let time = match graph[node] {
                Node::Start => Some(0),
                Node::Begin(id) => self.begins(node, &at, id),
                Node::End(_) | Node::Reached | Node::Unreached => came.max(),
            };
            let Some(mut time) = time else { continue };
            match graph[node] {
                Node::Begin(id) => time = time.saturating_add(self.held(id)),
                Node::End(id) => time = time.saturating_add(self.runs(id)),
                Node::Start | Node::Reached | Node::Unreached => {}
            }
            at.insert(node, time);
        }
        at
    }

    /// When a stage's turn comes at the latest.
    fn begins(
        &self,
        node: petgraph::graph::NodeIndex,
        at: &BTreeMap<petgraph::graph::NodeIndex, i64>,
        id: StageId,
    ) -> Option<i64> {
        let graph = self.machine.graph();
        let mut after: Option<i64> = None;
        let mut other: Option<i64> = None;
        for edge in graph.edges_directed(node, Direction::Incoming) {
            let Some(from) = at.get(&edge.source()) else { continue };
            let time = from.saturating_add(self.takes(graph[edge.source()], *edge.weight()));
            let slot = if matches!(edge.weight(), Way::After(_)) { &mut after } else { &mut other };
            *slot = Some(slot.map_or(time, |latest: i64| latest.max(time)));
        }
        match (after, other) {
            // It starts when the one before fails, or after this time: the earlier of the two. One that
            // says nothing, neither that it failed nor that it was reached, leaves the clock alone;
            // and an earlier stage's clock can add to it where the one before is skipped.
            (Some(after), Some(other)) => {
                let stage = self.machine.stage(id);
                let before = self.machine.strategy(stage.strategy).stages[..stage.place].last();
                let silent = before.is_some_and(|before| self.can_be_silent(*before));
                let turn = if silent { after } else { after.min(other) };
                Some(turn.max(self.skipped_clock(at, id).unwrap_or(0)))
            }
            (after, other) => after.or(other),
        }
    }

    /// Whether a stage may be neither reached nor failed for good: something in it was sent, and
    /// nothing is heard of it.
    pub(super) fn can_be_silent(&self, id: StageId) -> bool {
        match &self.machine.stage(id).kind {
            Kind::Wait(_) => false,
            Kind::Channel(channel) => {
                let route = self.route(channel);
                !route.is_empty() && goal(channel, &route) != Confirmation::Accepted
            }
            Kind::Group { members, .. } => {
                let stages = members.iter().flat_map(|member| &self.machine.strategy(*member).stages);
                stages.into_iter().any(|stage| self.can_be_silent(*stage))
            }
        }
    }

    /// Where the stage before may be skipped, the clock of `after` runs from an earlier one.
    fn skipped_clock(&self, at: &BTreeMap<petgraph::graph::NodeIndex, i64>, id: StageId) -> Option<i64> {
        let stage = self.machine.stage(id);
        let after = stage.after?.ms();
        let earlier = &self.machine.strategy(stage.strategy).stages[..stage.place];
        let begun = |id: &StageId| {
            let begun = self.machine.node(Node::Begin(*id)).and_then(|node| at.get(&node)).copied()?;
            // From the start of what sends, and from the end of a `wait`.
            let is_wait = matches!(self.machine.stage(*id).kind, Kind::Wait(_));
            Some(begun.saturating_add(if is_wait { self.runs(*id) } else { self.first_start(*id) }))
        };
        // A stage that is held and then skipped or cannot run passes its turn on at the end of the hold.
        let passed = earlier.last().and_then(begun);
        let clocks = earlier.iter().rev().skip(1).filter_map(begun).map(|begun| begun.saturating_add(after));
        clocks.max().max(passed)
    }

    /// What an edge adds. What counts from the start of a group counts from the first channel in it.
    fn takes(&self, from: Node, way: Way) -> i64 {
        let started = match from {
            Node::Begin(id) => self.first_start(id),
            Node::Start | Node::End(_) | Node::Reached | Node::Unreached => 0,
        };
        match way {
            Way::First(after) => after.map_or(0, Span::ms),
            Way::After(after) => started.saturating_add(after.ms()),
            Way::Alongside => started,
            _ => 0,
        }
    }

    /// How much later than it begins the first channel in a group can start, or the group be left
    /// without one: every stage before that one is held in vain, or a `wait`.
    pub(super) fn first_start(&self, id: StageId) -> i64 {
        let Kind::Group { members, .. } = &self.machine.stage(id).kind else { return 0 };
        let member = |id: &StrategyId| -> i64 {
            let stages = &self.machine.strategy(*id).stages;
            let after = stages.first().and_then(|first| self.machine.stage(*first).after).map_or(0, Span::ms);
            stages.iter().fold(after, |time, stage| {
                let own = match &self.machine.stage(*stage).kind {
                    Kind::Wait(_) => self.runs(*stage),
                    Kind::Channel(_) | Kind::Group { .. } => {
                        self.held(*stage).saturating_add(self.first_start(*stage))
                    }
                };
                time.saturating_add(own)
            })
        };
        members.iter().map(member).max().unwrap_or_default()
    }

    /// How much later than it begins a stage can come to its end.
    fn runs(&self, id: StageId) -> i64 {
        match &self.machine.stage(id).kind {
            // What the members take stands on their own nodes.
            Kind::Group { .. } => 0,
            Kind::Wait(Wait::For(span)) => span.ms(),
            Kind::Wait(Wait::Until { time, days, zone }) => longest_wait(*time, *days, zone),
            Kind::Channel(channel) => {
                let route = self.route(channel);
                if route.is_empty() {
                    return 0;
                }
                // What an acceptance reaches cannot fail after it.
                let waits = goal(channel, &route) != Confirmation::Accepted;
                let horizon = route.iter().filter(|_| waits).map(|provider| provider.horizon_ms).max();
                self.last_send(id, channel).saturating_add(horizon.unwrap_or_default())
            }
        }
    }

    /// How much later than its first the last attempt of a stage can be.
    fn last_send(&self, id: StageId, channel: &ChannelStage) -> i64 {
        let retries: i64 = (1..=channel.retry.times).map(|n| channel.retry.pause(n).ms()).sum();
        let repeats = channel.repeat.map_or(0, |r| r.every.ms().saturating_mul(i64::from(r.times)));
        let spread = retries.saturating_add(repeats);
        if spread == 0 {
            return 0;
        }
        // What is tried again runs into the closed window anew once the time between the tries has
        // used up a stretch for which it is open; the first hold is the stage's own.
        let closed = self.held(id);
        let open = self.shortest_open(id).max(MINUTE_MS);
        let times = if closed == 0 { 0 } else { spread / open };
        spread.saturating_add(closed.saturating_mul(times))
    }
}
