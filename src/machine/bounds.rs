//! How much a policy can send, cost and last, at most.
//!
//! They cover every script in which answers take no time, nobody is rate limited and no jitter is
//! added. Sends and costs add up over what can happen beside each other and one after the other,
//! which a stage whose goal is acceptance ends. The latest start of a send is the longest path
//! through the graph, in one pass in topological order: each edge says how much later its end can
//! come than its beginning.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::algo::toposort;
use petgraph::visit::EdgeRef;
use schemars::JsonSchema;
use serde::Serialize;

use crate::language::policy::{ChannelStage, GroupKind, OnDoubt, Wait};
use crate::model::{Confirmation, Days, Money, Span, TimeOfDay, Window, Zone};

use super::catalog::Catalog;
use super::facts::RouteProvider;
use super::plan::{Kind, Machine, Node, Stage, StageId, StrategyId, Way};

/// The bounds of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bounds {
    /// The most attempts accepted or in doubt.
    pub sends_max: u32,
    /// The latest moment at which a send can start, in milliseconds from the start; null where
    /// nothing bounds it.
    pub duration_max_ms: Option<i64>,
    /// The most that those attempts cost; null without prices.
    pub cost_max: Option<Money>,
}

const WEEK_MINUTES: usize = 7 * 1_440;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
const NEVER_OPEN_MS: i64 = 8 * 24 * HOUR_MS;

/// Computes the bounds of a policy for the providers of a catalog.
#[must_use]
pub fn bounds(machine: &Machine, catalog: &Catalog) -> Bounds {
    let measure = Measure { machine, catalog };
    let amounts = measure.strategy(StrategyId(0)).most();
    let headers = machine.headers();
    let sends = headers.limit_sends.map_or(amounts.sends, |limit| amounts.sends.min(limit));
    let cost = headers.limit_cost.map_or(amounts.cost, |limit| amounts.cost.min(limit.micros));
    let latest = measure.latest_start();
    let latest = match (latest, headers.expires) {
        (Some(latest), Some(expires)) => Some(latest.min(expires.ms())),
        (None, expires) => expires.map(Span::ms),
        (latest, None) => latest,
    };
    Bounds {
        sends_max: sends,
        duration_max_ms: latest,
        cost_max: catalog.currency().map(|currency| Money { micros: cost, currency }),
    }
}

/// Sends and what they cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Amount {
    sends: u32,
    cost: i64,
}

impl Amount {
    fn plus(self, other: Amount) -> Amount {
        Amount {
            sends: self.sends.saturating_add(other.sends),
            cost: self.cost.saturating_add(other.cost).min(Money::MICROS_MAX),
        }
    }
    fn max(self, other: Amount) -> Amount {
        Amount { sends: self.sends.max(other.sends), cost: self.cost.max(other.cost) }
    }
    fn times(self, times: u32) -> Amount {
        Amount {
            sends: self.sends.saturating_mul(times),
            cost: self.cost.saturating_mul(i64::from(times)).min(Money::MICROS_MAX),
        }
    }
}

/// What a stage or strategy sends at most where it goes on after it, and where it is reached by an
/// acceptance, so that nothing does.
#[derive(Debug, Clone, Copy, Default)]
struct Amounts {
    on: Amount,
    over: Option<Amount>,
}

impl Amounts {
    fn most(self) -> Amount {
        self.over.map_or(self.on, |over| over.max(self.on))
    }
}

struct Measure<'a> {
    machine: &'a Machine,
    catalog: &'a Catalog,
}

impl Measure<'_> {
    fn route(&self, channel: &ChannelStage) -> Vec<RouteProvider> {
        self.catalog.route(channel.channel, &channel.route)
    }

    fn strategy(&self, id: StrategyId) -> Amounts {
        let mut so_far = Amount::default();
        let mut over: Option<Amount> = None;
        for &stage in &self.machine.strategy(id).stages {
            let mut amounts = self.stage(stage);
            if amounts.over.is_some() && self.may_coincide(stage) {
                // What follows may start in the instant of an attempt, before its answer.
                amounts.on = amounts.most();
            }
            if let Some(stage_over) = amounts.over {
                let total = so_far.plus(stage_over);
                over = Some(over.map_or(total, |most| most.max(total)));
            }
            so_far = so_far.plus(amounts.on);
        }
        Amounts { on: so_far, over }
    }

    /// Whether a later stage of the strategy may start, by its own clock, at the very instant at which
    /// an attempt of this stage is made: the answer, which takes no time, comes after both.
    fn may_coincide(&self, id: StageId) -> bool {
        let stage = self.machine.stage(id);
        let later = &self.machine.strategy(stage.strategy).stages[stage.place + 1..];
        let Some(next) = later.first().map(|next| self.machine.stage(*next)) else { return false };
        let is_wait = |stage: &Stage| matches!(stage.kind, Kind::Wait(_));
        if !is_wait(next) && next.after.is_none() {
            return false;
        }
        let Kind::Channel(channel) = &stage.kind else { return true };
        if self.held(id) > 0 {
            return true;
        }
        // The clocks since its start at which a stage behind it can come to its turn.
        let mut turns: BTreeSet<i64> = [0].into();
        let mut clocks: BTreeSet<i64> = BTreeSet::new();
        let mut before_is_wait = false;
        for &id in later {
            let stage = self.machine.stage(id);
            match &stage.kind {
                Kind::Wait(Wait::Until { .. }) => return true,
                Kind::Wait(Wait::For(span)) => {
                    turns = turns.iter().map(|turn| turn.saturating_add(span.ms())).collect();
                }
                Kind::Channel(_) | Kind::Group { .. } => {
                    let after = stage.after.map_or(0, Span::ms);
                    let turn = |turn: &i64| {
                        if before_is_wait { turn.saturating_add(after) } else { after.max(*turn) }
                    };
                    turns = turns.iter().map(turn).collect();
                    if self.held(id) > 0 {
                        return true;
                    }
                    clocks.extend(&turns);
                }
            }
            before_is_wait = is_wait(stage);
        }
        self.attempts_at(channel).any(|at| clocks.contains(&at))
    }

    /// The times since a stage's start at which an attempt of it can be made, no window holding it.
    fn attempts_at(&self, channel: &ChannelStage) -> impl Iterator<Item = i64> {
        let (repeat, retry) = (channel.repeat, channel.retry);
        let sends = (0..=repeat.map_or(0, |repeat| i64::from(repeat.times)))
            .map(move |n| n.saturating_mul(repeat.map_or(0, |repeat| repeat.every.ms())));
        sends.flat_map(move |send| {
            (0..=retry.times).scan(send, move |at, n| {
                *at = if n == 0 { *at } else { at.saturating_add(retry.pause(n).ms()) };
                Some(*at)
            })
        })
    }

    fn stage(&self, id: StageId) -> Amounts {
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
        let one =
            Amount { sends: 1, cost: route.iter().map(|provider| provider.price).max().unwrap_or_default() };
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

    /// The longest path to the last start of a send.
    fn latest_start(&self) -> Option<i64> {
        let graph = self.machine.graph();
        let order = toposort(graph, None).ok()?;
        // When a node is come to at the latest.
        let mut at: BTreeMap<_, i64> = BTreeMap::new();
        let mut latest: Option<i64> = None;
        for node in order {
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
                Node::Begin(id) => {
                    time = time.saturating_add(self.held(id));
                    if let Kind::Channel(channel) = &self.machine.stage(id).kind
                        && !self.route(channel).is_empty()
                    {
                        let last = time.saturating_add(self.last_send(id, channel));
                        latest = Some(latest.map_or(last, |latest| latest.max(last)));
                    }
                }
                Node::End(id) => time = time.saturating_add(self.runs(id)),
                Node::Start | Node::Reached | Node::Unreached => {}
            }
            at.insert(node, time);
        }
        Some(latest.unwrap_or_default())
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
            // It starts when the one before fails, or after this time: the earlier of the two, but
            // for what an earlier stage's clock can add where the one before is skipped.
            (Some(after), Some(other)) => Some(after.min(other).max(self.skipped_clock(at, id).unwrap_or(0))),
            (after, other) => after.or(other),
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
    fn first_start(&self, id: StageId) -> i64 {
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

    fn windows(&self, id: StageId) -> (Option<&Window>, Option<&Window>) {
        let stage = self.machine.stage(id);
        let quiet = self.machine.headers().quiet.as_ref().map(|quiet| &quiet.window);
        (stage.between.as_ref(), quiet.filter(|_| matches!(stage.kind, Kind::Channel(_))))
    }

    /// The longest stretch for which a stage's windows hold it.
    fn held(&self, id: StageId) -> i64 {
        match self.windows(id) {
            (None, None) => 0,
            (Some(between), None) => closed(&between.zone, |minute| between.holds_minute_of_week(minute)),
            (None, Some(quiet)) => closed(&quiet.zone, |minute| !quiet.holds_minute_of_week(minute)),
            (Some(between), Some(quiet)) if between.zone == quiet.zone => closed(&between.zone, |minute| {
                between.holds_minute_of_week(minute) && !quiet.holds_minute_of_week(minute)
            }),
            // On two clocks: it is looked for no further than this.
            (Some(_), Some(_)) => NEVER_OPEN_MS,
        }
    }

    fn shortest_open(&self, id: StageId) -> i64 {
        let (between, quiet) = self.windows(id);
        let open = |minute: usize| {
            between.is_none_or(|w| w.holds_minute_of_week(minute))
                && !quiet.is_some_and(|w| w.holds_minute_of_week(minute))
        };
        stretches(&open).into_iter().filter(|(is_open, _)| *is_open).map(|(_, ms)| ms).min().unwrap_or(0)
    }
}

/// What reaches a stage.
fn goal(channel: &ChannelStage, route: &[RouteProvider]) -> Confirmation {
    let confirms = route.iter().any(|provider| provider.confirms.contains(&Confirmation::Delivered));
    channel.until.unwrap_or(if confirms { Confirmation::Delivered } else { Confirmation::Accepted })
}

/// The stretches of a week, around its end, in which `open` stays the same.
fn stretches(open: &dyn Fn(usize) -> bool) -> Vec<(bool, i64)> {
    let Some(change) = (0..WEEK_MINUTES).find(|m| open(*m) != open((*m + WEEK_MINUTES - 1) % WEEK_MINUTES))
    else {
        return vec![(open(0), NEVER_OPEN_MS)];
    };
    let mut all: Vec<(bool, i64)> = Vec::new();
    for minute in (change..change + WEEK_MINUTES).map(|minute| minute % WEEK_MINUTES) {
        match all.last_mut() {
            Some((state, ms)) if *state == open(minute) => *ms += MINUTE_MS,
            _ => all.push((open(minute), MINUTE_MS)),
        }
    }
    all
}

fn closed(zone: &Zone, open: impl Fn(usize) -> bool) -> i64 {
    let longest = stretches(&open).into_iter().filter(|(open, _)| !open).map(|(_, ms)| ms).max().unwrap_or(0);
    longest.saturating_add(if longest > 0 { shift(zone) } else { 0 })
}

/// By how much a change of the clock can lengthen a stretch of local time.
fn shift(zone: &Zone) -> i64 {
    match zone {
        Zone::Named(name) if name == "UTC" || name.starts_with("Etc/") => 0,
        Zone::Named(_) | Zone::Contact { .. } => HOUR_MS,
    }
}

fn longest_wait(time: TimeOfDay, days: Days, zone: &Zone) -> i64 {
    let shows = |minute: usize| days.has(minute / 1_440) && minute % 1_440 == usize::from(time.minutes());
    // The minute that shows the time is over a moment after it began.
    let longest =
        stretches(&shows).into_iter().filter(|(shows, _)| !shows).map(|(_, ms)| ms).max().unwrap_or(0);
    longest.saturating_add(MINUTE_MS).saturating_add(shift(zone))
}
