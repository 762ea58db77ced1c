//! When stages start: by the clock alone, at the earliest, and at the latest.
//!
//! Walks along the graph. By the clock: everything that is sent is accepted and then nothing is heard
//! of it, so that only `after` and waits lead on. At the earliest: every way counts, and what can fail
//! fails at once.

use std::collections::BTreeMap;

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

use crate::language::policy::Wait;
use crate::machine::catalog::Catalog;
use crate::machine::plan::{Kind, Machine, Node, StageId, StrategyId, Way};
use crate::model::Span;

use super::Measure;

/// When a stage can start, counted from the start of the message, or, where a `wait until` comes before
/// it, from the end of that. In the first three, windows are not looked into: what they hold starts
/// later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// While nothing is heard of whatever was sent before; `None` where only a failure leads to it.
    pub silent: Option<Span>,
    /// Where only a failure leads to it, or to a stage before it: which stage must fail, and how long
    /// after that it starts.
    pub behind: Option<(StageId, Span)>,
    /// At the earliest, if what stands before fails at once.
    pub earliest: Span,
    /// At the latest, windows and the expiry looked into, always from the start of the message; `None`
    /// where nothing bounds it.
    pub latest: Option<Span>,
    /// The last `wait until` before it, from whose end the first three count: how long that takes is
    /// known on the day alone.
    pub wait: Option<StageId>,
}

/// A time, with what it is counted from: these two, else the start of the message. What is less comes
/// sooner, as far as that can be said.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Time {
    /// The failure of this stage leads there.
    failed: Option<StageId>,
    /// The last `wait until` since.
    wait: Option<StageId>,
    ms: i64,
}

/// When each stage can start, in the order of the text.
#[must_use]
pub fn starts(machine: &Machine, catalog: &Catalog) -> Vec<Start> {
    let measure = Measure { machine, catalog };
    let graph = machine.graph();
    let Ok(order) = toposort(graph, None) else { return Vec::new() };
    let mut earliest: BTreeMap<NodeIndex, Time> = BTreeMap::new();
    let mut clock: BTreeMap<NodeIndex, Time> = BTreeMap::new();
    for &node in &order {
        let first = (graph[node] == Node::Start).then(Time::default);
        let (mut soonest, mut by_clock, mut on_failure) = (first, first, None);
        for edge in graph.edges_directed(node, Direction::Incoming) {
            let (before, way) = (edge.source(), *edge.weight());
            let after = |time: &Time| time.then(measure.at_least(graph[before], way));
            soonest = soonest.into_iter().chain(earliest.get(&before).map(after)).min();
            let Some(time) = clock.get(&before) else { continue };
            let failed = match (graph[before], way) {
                (Node::End(id), Way::Failed | Way::Passed) => Some(id),
                // What an acceptance reaches leaves nothing to be patient about.
                (Node::Begin(id), Way::After(_)) if !measure.can_be_silent(id) => Some(id),
                _ => None,
            };
            match failed {
                Some(id) => on_failure = Some(Time { failed: Some(id), ..Time::default() }),
                None => by_clock = by_clock.into_iter().chain([after(time)]).min(),
            }
        }
        if let Some(time) = soonest {
            earliest.insert(node, time);
        }
        if let Some(time) = by_clock.or(on_failure) {
            clock.insert(node, time);
        }
    }
    let latest = measure.latest_times();
    let expires = machine.headers().expires;
    let start = |id: StageId| {
        let node = machine.node(Node::Begin(id));
        let of = |times: &BTreeMap<NodeIndex, Time>| {
            node.and_then(|node| times.get(&node)).copied().unwrap_or_default().then(measure.opens(id))
        };
        let (time, soonest) = (of(&clock), of(&earliest));
        let span = Span::from_ms(time.ms);
        Start {
            silent: time.failed.is_none().then_some(span),
            behind: time.failed.map(|id| (id, span)),
            earliest: Span::from_ms(soonest.ms),
            latest: node
                .and_then(|node| latest.get(&node))
                .map(|ms| Span::from_ms(expires.map_or(*ms, |expires| expires.ms().min(*ms)))),
            wait: time.wait,
        }
    };
    machine.ids().map(start).collect()
}

impl Time {
    fn later(self, ms: i64) -> Time {
        Time { ms: self.ms.saturating_add(ms), ..self }
    }

    /// What comes `next` of something that begins at this time; from the end of a wait in it on, only
    /// that counts.
    fn then(self, next: Time) -> Time {
        match next.wait {
            Some(_) => Time { failed: self.failed, ..next },
            None => self.later(next.ms),
        }
    }
}

impl Measure<'_> {
    /// How long an edge takes at least, from the node that it leaves.
    fn at_least(&self, from: Node, way: Way) -> Time {
        // A group starts with the first channel in it.
        match (from, way) {
            (_, Way::First(Some(after))) => Time::default().later(after.ms()),
            (Node::Begin(id), Way::After(after)) => self.opens(id).later(after.ms()),
            (_, Way::After(after)) => Time::default().later(after.ms()),
            (Node::Begin(id), Way::Alongside) => self.opens(id),
            (Node::Begin(id), Way::Over) => self.lasts(id),
            _ => Time::default(),
        }
    }

    /// How long a `wait` takes.
    fn lasts(&self, id: StageId) -> Time {
        match &self.machine.stage(id).kind {
            Kind::Wait(Wait::For(span)) => Time::default().later(span.ms()),
            Kind::Wait(Wait::Until { .. }) => Time { wait: Some(id), ..Time::default() },
            _ => Time::default(),
        }
    }

    /// How much later than its turn comes the first channel of a stage can start.
    fn opens(&self, id: StageId) -> Time {
        let Kind::Group { members, .. } = &self.machine.stage(id).kind else { return Time::default() };
        let member = |id: &StrategyId| -> Time {
            let mut time = Time::default();
            for stage in &self.machine.strategy(*id).stages {
                time = time.later(self.machine.stage(*stage).after.map_or(0, Span::ms));
                match &self.machine.stage(*stage).kind {
                    Kind::Wait(_) => time = time.then(self.lasts(*stage)),
                    Kind::Channel(_) | Kind::Group { .. } => return time.then(self.opens(*stage)),
                }
            }
            time
        };
        members.iter().map(member).min().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::NoLibrary;

    /// Each stage on its own: when by the clock, and when at the earliest.
    fn shown(source: &str) -> Vec<String> {
        let compiled = crate::language::compile(source, None, &NoLibrary);
        assert!(compiled.is_clean(), "{:?}", compiled.diagnostics);
        let machine = crate::machine::compile(&compiled.policies[0]);
        let one = |start: Start| match (start.silent, start.behind) {
            (Some(span), _) => format!("{span} or {}", start.earliest),
            (None, Some((id, span))) => format!("{} failed + {span}", id.0),
            (None, None) => "never".to_owned(),
        };
        starts(&machine, &Catalog::default()).into_iter().map(one).collect()
    }

    #[test]
    fn a_stage_starts_by_the_clock_or_behind_a_failure() {
        let shown_one = shown("whatsapp then sms after 30s then voice after 10m");
        assert_eq!(shown_one, ["0s or 0s", "30s or 0s", "10m30s or 0s"]);
        let shown_one = shown("sms then email then voice after 1m");
        assert_eq!(shown_one, ["0s or 0s", "0 failed + 0s", "0 failed + 1m"]);
        // Nobody confirms a webhook: it is reached when it is accepted.
        assert_eq!(shown("webhook then sms after 30s"), ["0s or 0s", "0 failed + 0s"]);
    }

    #[test]
    fn a_wait_begins_with_the_stage_before_it_and_always_lasts() {
        let shown_one = shown("sms then wait 10m then email then voice after 5m");
        assert_eq!(shown_one, ["0s or 0s", "0s or 0s", "10m or 10m", "15m or 10m"]);
        assert_eq!(shown("wait 1m then sms after 2m")[1], "3m or 3m");
    }

    #[test]
    fn members_start_with_their_group_and_it_with_the_first_of_them() {
        let shown_one = shown("any of (push after 5s, whatsapp then email after 1m) then voice after 2m");
        assert_eq!(shown_one, ["0s or 0s", "5s or 5s", "0s or 0s", "1m or 0s", "2m or 0s"]);
        assert_eq!(shown("any of (push after 5s, sms after 9s) then voice after 2m")[3], "2m5s or 5s");
        assert_eq!(shown("sms after 10s then email")[0], "10s or 10s");
    }

    #[test]
    fn the_latest_start_is_that_of_the_bounds() {
        let source = "policy p { expires after 1h whatsapp then sms after 30s then voice between 08:00 and 21:00 in UTC }";
        let compiled = crate::language::compile(source, None, &NoLibrary);
        let machine = crate::machine::compile(&compiled.policies[0]);
        let catalog = Catalog::default();
        let latest: Vec<_> = starts(&machine, &catalog).into_iter().map(|start| start.latest).collect();
        let shown: Vec<String> = latest.iter().flatten().map(Span::to_string).collect();
        assert_eq!(shown, ["0s", "30s", "1h"]);
    }
}
