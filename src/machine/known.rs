//! The pure function that answers what `step` asks, from what is known of the world.
//!
//! Here, and nowhere further in, personal values and zones are looked at.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::language::condition::{Comparison, Literal, Op, Operand};
pub use crate::language::facts_text::FactValue as Value;
use crate::language::policy::{Action, Route, Wait};
use crate::model::{Channel, ContactField, Instant, Priority, Span, TimeOfDay, Window, Zone, ZoneTable};

use super::facts::{Counters, Facts, Moment, Opening, Readiness, RouteProvider, Truth};
use super::plan::{Kind, Machine, StageId};

/// A person as conditions see one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Person {
    /// The fields.
    pub fields: BTreeMap<ContactField, String>,
    /// The attributes.
    pub attributes: BTreeMap<String, Value>,
}

/// What is known of a message and its person, beside the tenant's providers and counters.
#[derive(Debug, Clone)]
pub struct Known {
    /// The message's vars.
    pub vars: BTreeMap<String, Value>,
    /// The person.
    pub person: Person,
    /// The message's priority.
    pub priority: Priority,
    /// The message's category.
    pub category: String,
    /// The zone where `contact.timezone` has none and names no other: an IANA name.
    pub zone: String,
}

impl Known {
    /// The value of a name; none of what an instance itself knows.
    pub(super) fn value(&self, operand: &Operand) -> Option<Value> {
        match operand {
            Operand::Var(name) => self.vars.get(name).cloned(),
            Operand::Contact(field) => self.person.fields.get(field).cloned().map(Value::String),
            Operand::Attribute(name) => self.person.attributes.get(name).cloned(),
            Operand::Priority => Some(Value::String(self.priority.word().to_owned())),
            Operand::Category => Some(Value::String(self.category.clone())),
            Operand::Elapsed | Operand::Sends | Operand::Cost | Operand::Literal(_) => None,
        }
    }
}

/// What the tenant's world says at an instant: the part of [`Facts`] that is not derived.
pub trait World {
    /// See [`Facts::has_address`].
    fn has_address(&self, channel: Channel) -> bool;
    /// See [`Facts::opted_out`].
    fn opted_out(&self, channel: Channel) -> bool;
    /// See [`Facts::has_body`].
    fn has_body(&self, channel: Channel) -> bool;
    /// See [`Facts::quota_used`].
    fn quota_used(&self, channel: Channel, begun: u32) -> bool;
    /// See [`Facts::route`].
    fn route(&self, channel: Channel, route: &Route) -> Vec<RouteProvider>;
    /// See [`Facts::readiness`].
    fn readiness(&self, provider: &str, begun: u32) -> Readiness;
}

/// The facts of one instant.
pub struct FactsAt<'a, W: World + ?Sized> {
    /// The policy.
    pub machine: &'a Machine,
    /// The instant.
    pub at: Instant,
    /// The message and its person.
    pub known: &'a Known,
    /// The rest.
    pub world: &'a W,
}

impl<W: World + ?Sized> FactsAt<'_, W> {
    /// The clock of a zone, and whether it is another than the one asked for.
    fn clock(&self, zone: &Zone) -> (TimeZone, bool) {
        let table = ZoneTable;
        let default = || table.get(&self.known.zone).unwrap_or(TimeZone::UTC);
        match zone {
            Zone::Named(name) => table.get(name).map_or_else(|| (default(), true), |zone| (zone, false)),
            Zone::Contact { otherwise } => {
                let own = self.known.person.fields.get(&ContactField::Timezone);
                match (own.and_then(|name| table.get(name)), otherwise) {
                    (Some(zone), _) => (zone, false),
                    (None, Some(name)) => (table.get(name).unwrap_or_else(default), false),
                    (None, None) => (default(), true),
                }
            }
        }
    }
}

impl<W: World + ?Sized> Facts for FactsAt<'_, W> {
    fn comparison(&self, index: u16, counters: Counters) -> Truth {
        let Some(comparison) = self.machine.comparison(index) else { return Truth::Missing };
        evaluate(comparison, counters, &|operand| self.known.value(operand))
    }
    fn has_address(&self, channel: Channel) -> bool {
        self.world.has_address(channel)
    }
    fn opted_out(&self, channel: Channel) -> bool {
        self.world.opted_out(channel)
    }
    fn has_body(&self, channel: Channel) -> bool {
        self.world.has_body(channel)
    }
    fn quota_used(&self, channel: Channel, begun: u32) -> bool {
        self.world.quota_used(channel, begun)
    }
    fn quiet(&self) -> bool {
        self.machine.headers.quiet.as_ref().is_some_and(|quiet| {
            let (clock, _) = self.clock(&quiet.window.zone);
            quiet.window.holds(self.at, &clock)
        })
    }
    fn opening(&self, stage: StageId, heed_quiet: bool) -> Opening {
        let between = self.machine.stage(stage).between.as_ref();
        let quiet = self.machine.headers.quiet.as_ref().filter(|_| heed_quiet).map(|quiet| &quiet.window);
        let clocked = |window: Option<&Window>| window.map(|window| self.clock(&window.zone));
        let (between_clock, quiet_clock) = (clocked(between), clocked(quiet));
        let inside: Vec<_> =
            between.zip(between_clock.as_ref()).map(|(w, (z, _))| (w, z)).into_iter().collect();
        let outside: Vec<_> = quiet.zip(quiet_clock.as_ref()).map(|(w, (z, _))| (w, z)).into_iter().collect();
        Opening {
            at: Window::first_open(self.at, &inside, &outside).map(Moment),
            quiet: outside.iter().any(|(window, zone)| window.holds(self.at, zone)),
            zone_missing: [between_clock, quiet_clock].into_iter().flatten().any(|(_, missing)| missing),
        }
    }
    fn wait_end(&self, stage: StageId) -> Opening {
        let Kind::Wait(Wait::Until { time, days, zone }) = &self.machine.stage(stage).kind else {
            return Opening { at: None, quiet: false, zone_missing: false };
        };
        let (clock, zone_missing) = self.clock(zone);
        Opening { at: time.next(self.at, *days, &clock).map(Moment), quiet: false, zone_missing }
    }
    fn route(&self, stage: StageId) -> Vec<RouteProvider> {
        self.machine
            .channel(stage)
            .map(|channel| self.world.route(channel.channel, &channel.route))
            .unwrap_or_default()
    }
    fn readiness(&self, provider: &str, begun: u32) -> Readiness {
        self.world.readiness(provider, begun)
    }
}

/// A value as it is compared: each of one of the types that have an order or an equality.
#[derive(Debug, PartialEq, PartialOrd)]
enum Comparable {
    Text(String),
    Number(f64),
    Boolean(bool),
    /// Milliseconds, minutes, millionths or a rank.
    Whole(i64),
}

/// Decides a comparison; `value` gives the values of names that an instance does not know.
#[must_use]
pub fn evaluate(
    comparison: &Comparison,
    counters: Counters,
    value: &dyn Fn(&Operand) -> Option<Value>,
) -> Truth {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let Comparison { left, op, right, .. } = comparison;
    if *op == Op::In {
        let Operand::Literal(Literal::List(items)) = right else { return Truth::Missing };
        let Some(one) = comparable(left, right, counters, value) else { return Truth::Missing };
        let found = items.iter().filter_map(|item| literal(item, kind_of(left))).any(|item| item == one);
        return found.into();
    }
    if *op == Op::Has {
        let Some(Value::List(items)) = value(left) else { return Truth::Missing };
        let Some(one) = comparable(right, left, counters, value) else { return Truth::Missing };
        return items.iter().filter_map(|item| given(item, kind_of(right))).any(|item| item == one).into();
    }
    let sides = (comparable(left, right, counters, value), comparable(right, left, counters, value));
    let (Some(left), Some(right)) = sides else { return Truth::Missing };
    let Some(order) = left.partial_cmp(&right) else { return Truth::Missing };
    if std::mem::discriminant(&left) != std::mem::discriminant(&right) {
        return Truth::Missing;
    }
    match op {
        Op::Is => order == Equal,
        Op::IsNot => order != Equal,
        Op::Less => order == Less,
        Op::AtMost => order != Greater,
        Op::More => order == Greater,
        Op::AtLeast => order != Less,
        Op::In | Op::Has => false,
    }
    .into()
}

/// How the values of one side are to be read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// As what they are.
    Plain,
    /// As durations, `30s`.
    Duration,
    /// As times of day, `08:00`.
    Time,
    /// As priorities.
    Priority,
    /// As money.
    Cost,
}

fn kind_of(operand: &Operand) -> Reading {
    match operand {
        Operand::Priority | Operand::Literal(Literal::Priority(_)) => Reading::Priority,
        Operand::Elapsed | Operand::Literal(Literal::Duration(_)) => Reading::Duration,
        Operand::Literal(Literal::Time(_)) => Reading::Time,
        Operand::Cost | Operand::Literal(Literal::Money(_)) => Reading::Cost,
        Operand::Literal(Literal::List(items)) => match items.first() {
            Some(Literal::Priority(_)) => Reading::Priority,
            Some(Literal::Duration(_)) => Reading::Duration,
            Some(Literal::Time(_)) => Reading::Time,
            Some(Literal::Money(_)) => Reading::Cost,
            _ => Reading::Plain,
        },
        _ => Reading::Plain,
    }
}

/// One side's value, read as the other side says.
fn comparable(
    side: &Operand,
    other: &Operand,
    counters: Counters,
    value: &dyn Fn(&Operand) -> Option<Value>,
) -> Option<Comparable> {
    let reading = match kind_of(side) {
        Reading::Plain => kind_of(other),
        own => own,
    };
    match side {
        Operand::Elapsed => Some(Comparable::Whole(counters.elapsed.ms())),
        Operand::Cost => Some(Comparable::Whole(counters.cost)),
        Operand::Sends => Some(Comparable::Number(f64::from(counters.sends))),
        Operand::Literal(written) => literal(written, reading),
        _ => given(&value(side)?, reading),
    }
}

fn literal(written: &Literal, reading: Reading) -> Option<Comparable> {
    Some(match written {
        Literal::String(text) => return given(&Value::String(text.clone()), reading),
        Literal::Number(number) => return given(&Value::Number(*number), reading),
        Literal::Boolean(truth) => Comparable::Boolean(*truth),
        Literal::Duration(span) => Comparable::Whole(span.ms()),
        Literal::Time(time) => Comparable::Whole(i64::from(time.minutes())),
        Literal::Money(micros) => Comparable::Whole(*micros),
        Literal::Priority(priority) => Comparable::Whole(rank(*priority)),
        Literal::List(_) => return None,
    })
}

fn rank(priority: Priority) -> i64 {
    i64::try_from(priority.index()).unwrap_or_default()
}

fn given(value: &Value, reading: Reading) -> Option<Comparable> {
    match (value, reading) {
        (Value::String(text), Reading::Plain) => Some(Comparable::Text(text.clone())),
        (Value::String(text), Reading::Duration) => {
            text.parse::<Span>().ok().map(|span| Comparable::Whole(span.ms()))
        }
        (Value::String(text), Reading::Time) => {
            text.parse::<TimeOfDay>().ok().map(|time| Comparable::Whole(i64::from(time.minutes())))
        }
        (Value::String(text), Reading::Priority) => {
            text.parse::<Priority>().ok().map(|priority| Comparable::Whole(rank(priority)))
        }
        (Value::Number(number), Reading::Cost) => {
            // Millionths, as the counters have them; what is no number of them equals none.
            let micros = (number * 1e6).round();
            #[expect(clippy::cast_possible_truncation, reason = "cut to the range that fits")]
            (micros.abs() < 9e15).then_some(Comparable::Whole(micros as i64))
        }
        (Value::Number(number), Reading::Plain) => Some(Comparable::Number(*number)),
        (Value::Boolean(truth), Reading::Plain) => Some(Comparable::Boolean(*truth)),
        _ => None,
    }
}

/// The names of providers that a policy's routes mention.
pub fn named_providers(strategy: &crate::language::policy::Strategy) -> Vec<String> {
    let mut names = Vec::new();
    collect(strategy, &mut names);
    names.sort_unstable();
    names.dedup();
    names
}

fn collect(strategy: &crate::language::policy::Strategy, names: &mut Vec<String>) {
    for stage in &strategy.stages {
        match &stage.action {
            Action::Channel(channel) => match &channel.route {
                Route::Default => {}
                Route::Failover(route) => names.extend(route.iter().cloned()),
                Route::Weighted(route) => names.extend(route.iter().map(|(_, name)| name.clone())),
            },
            Action::Group { members, .. } => members.iter().for_each(|member| collect(member, names)),
            Action::Use { strategy, .. } => collect(strategy, names),
            Action::Wait(_) => {}
        }
    }
}
