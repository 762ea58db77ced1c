//! The instants of acceptance that can make a difference: on each side of each edge of a window and of each
//! time that is waited for, as much earlier as something starts, and as a guard or a sentence asks for the age of
//! the message; in the ordinary week, in one after each change of the clocks, and around the change itself.
//!
//! Instants from which every clock shows the same for as long as something can start are one.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::language::policy::Wait;
use crate::machine::bounds::bounds;
use crate::machine::catalog::Catalog;
use crate::machine::plan::{Kind, Machine};
use crate::model::{Days, Instant, Span, TimeOfDay, Zone, ZoneTable};

use super::space::windows;
use super::witness::Witness;

/// The most instants.
const INSTANTS_MAX: usize = 512;
/// The most times after acceptance that are looked at.
const OFFSETS_MAX: usize = 16;
/// How many of a stage's retries and repetitions are looked at.
const AGAIN_MAX: u32 = 3;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// In so long the clocks of every zone have changed as often as they do.
const YEAR_MS: i64 = 366 * DAY_MS;
/// Where nothing bounds for how long a message is on its way.
const LIFE_MS: i64 = 40 * DAY_MS;

/// The spans that stand in a machine: `after`, `wait`, pauses, repetitions, the expiry.
pub(super) fn clocks(machine: &Machine) -> Vec<Span> {
    let mut spans = BTreeSet::from([Span::ZERO]);
    spans.extend(machine.headers().expires);
    for id in machine.ids() {
        let stage = machine.stage(id);
        spans.extend(stage.after);
        match &stage.kind {
            Kind::Wait(Wait::For(span)) => _ = spans.insert(*span),
            Kind::Channel(channel) => {
                spans.extend((1..=channel.retry.times.min(3)).map(|n| channel.retry.pause(n)));
                spans.extend(channel.repeat.map(|repeat| repeat.every));
            }
            Kind::Wait(Wait::Until { .. }) | Kind::Group { .. } => {}
        }
    }
    spans.into_iter().collect()
}

/// When stages can start by their `after`s and waits alone, and be tried again, counted from acceptance; and
/// whether these are all.
fn offsets(machine: &Machine) -> (Vec<i64>, bool) {
    let mut starts = BTreeSet::from([0_i64]);
    let (mut again, mut whole) = (BTreeSet::new(), true);
    for id in machine.ids() {
        let stage = machine.stage(id);
        if let Kind::Channel(channel) = &stage.kind {
            let repeats = channel.repeat.map_or(0, |repeat| repeat.times);
            whole &= channel.retry.times.max(repeats) <= AGAIN_MAX;
            let mut paused = 0_i64;
            for n in 1..=channel.retry.times.min(AGAIN_MAX) {
                paused = paused.saturating_add(channel.retry.pause(n).ms());
                again.insert(paused);
            }
            let every =
                channel.repeat.map(|repeat| (repeat.every.ms(), i64::from(repeat.times.min(AGAIN_MAX))));
            again.extend(
                every
                    .into_iter()
                    .flat_map(|(every, times)| (1..=times).map(move |n| every.saturating_mul(n))),
            );
        }
        let own = match &stage.kind {
            Kind::Wait(Wait::For(span)) => Some(*span),
            _ => stage.after,
        };
        let Some(own) = own else { continue };
        let later: Vec<i64> = starts.iter().map(|start| start.saturating_add(own.ms())).collect();
        starts.extend(later);
    }
    let tried_again: Vec<i64> = starts
        .iter()
        .flat_map(|start| again.iter().map(move |paused| start.saturating_add(*paused)))
        .collect();
    starts.extend(tried_again);
    whole &= starts.len() <= OFFSETS_MAX;
    (starts.into_iter().take(OFFSETS_MAX).collect(), whole)
}

/// A clock that a machine reads, with the times of day at which it makes a difference.
struct Reading {
    times: Vec<TimeOfDay>,
    days: Days,
    clock: TimeZone,
    /// A time that is waited for, so that a moment later it was missed.
    is_wait: bool,
}

fn readings(machine: &Machine, catalog: &Catalog, abroad: Option<&str>) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut read = |times: Vec<TimeOfDay>, days: Days, zone: &Zone, is_wait: bool| {
        let own = std::iter::once(clock(zone, catalog));
        let other = matches!(zone, Zone::Contact { .. }).then_some(abroad).flatten();
        let other = other.and_then(|zone| ZoneTable.get(zone));
        for clock in own.chain(other) {
            readings.push(Reading { times: times.clone(), days, clock, is_wait });
        }
    };
    for (_, window) in windows(machine) {
        read(vec![window.from, window.to], window.days, &window.zone, false);
    }
    for id in machine.ids() {
        if let Kind::Wait(Wait::Until { time, days, zone }) = &machine.stage(id).kind {
            read(vec![*time], *days, zone, true);
        }
    }
    readings
}

/// The instants, the ordinary one first, and whether they are all that can make a difference. `ages` are those
/// that something asks for, `abroad` is a zone in which a contact may be.
pub(super) fn of(
    machine: &Machine,
    catalog: &Catalog,
    abroad: Option<&str>,
    ages: &BTreeSet<Span>,
) -> (Vec<Instant>, bool) {
    let ordinary = Witness::ORDINARY_AT;
    let readings = readings(machine, catalog, abroad);
    if readings.is_empty() {
        return (vec![ordinary], true);
    }
    let life = bounds(machine, catalog).duration_max_ms.unwrap_or(LIFE_MS);
    let mut zones: Vec<&TimeZone> = readings.iter().map(|reading| &reading.clock).collect();
    zones.dedup();
    let within = YEAR_MS.saturating_add(life);
    let clocks: Vec<Clock> = zones.into_iter().map(|zone| Clock::of(zone, within)).collect();
    let edges = edges(&readings, &clocks);
    let (offsets, mut whole) = offsets(machine);
    let mut ages = ages.clone();
    ages.extend(machine.headers().expires);
    let aside = aside(&ages);
    let outlook = |at: i64| clocks.iter().map(|clock| clock.outlook(at, life)).collect::<Vec<_>>();
    let mut seen = BTreeSet::from([outlook(ordinary.ms())]);
    let mut instants = vec![ordinary];
    let mut take = |at: i64| {
        // Never before the ordinary week: a week later is the same.
        let weeks = if at < ordinary.ms() { (ordinary.ms() - at) / WEEK_MS + 1 } else { 0 };
        let at = at + WEEK_MS * weeks;
        if seen.insert(outlook(at)) {
            whole &= instants.len() < INSTANTS_MAX;
            if instants.len() < INSTANTS_MAX {
                instants.push(Instant::from_ms(at));
            }
        }
    };
    // First what is accepted at the edges themselves.
    for offset in offsets {
        for (edge, is_wait) in &edges {
            take(edge - offset);
            take(edge - offset - MINUTE_MS);
            if *is_wait {
                take(edge - offset + 1);
            }
        }
    }
    for age in ages {
        for (edge, _) in &edges {
            [-aside, 0, aside].into_iter().for_each(|aside| take(edge - age.ms() + aside));
        }
    }
    (instants, whole)
}

/// How far beside an age is near enough: between it and the next one.
fn aside(ages: &BTreeSet<Span>) -> i64 {
    let mut before = 0;
    let mut aside = MINUTE_MS;
    for age in ages.iter().map(|age| age.ms()).filter(|age| *age > 0) {
        aside = aside.min((age - before) / 2);
        before = age;
    }
    aside.max(1)
}

/// A clock, and how it is changed.
struct Clock {
    /// By how much it is ahead of UTC on an ordinary day.
    ordinary: i64,
    /// When it is changed, and by how much it is ahead from then on.
    changes: Vec<(i64, i64)>,
}

impl Clock {
    fn of(zone: &TimeZone, within: i64) -> Clock {
        let from = Witness::ORDINARY_AT.ms();
        let ahead = |at: jiff::Timestamp| i64::from(zone.to_offset(at).seconds()) * 1_000;
        let start = jiff::Timestamp::from_millisecond(from).unwrap_or_default();
        let (ordinary, mut changes) = (ahead(start), Vec::new());
        let mut last = ordinary;
        for change in zone.following(start) {
            let at = change.timestamp();
            if at.as_millisecond() > from.saturating_add(within) {
                break;
            }
            // Some changes are of the name alone.
            if std::mem::replace(&mut last, ahead(at)) != last {
                changes.push((at.as_millisecond(), last));
            }
        }
        Clock { ordinary, changes }
    }

    /// What it shows from an instant on, for so long: the time of the week, and how far off its next change is and
    /// what it comes to.
    fn outlook(&self, at: i64, life: i64) -> (i64, Option<(i64, i64)>) {
        let (past, next): (Vec<_>, Vec<_>) = self.changes.iter().partition(|(change, _)| *change <= at);
        let own = past.last().map_or(self.ordinary, |(_, ahead)| *ahead);
        let next = next.first().filter(|(change, _)| *change <= at.saturating_add(life));
        ((at + own).rem_euclid(WEEK_MS), next.map(|(change, ahead)| (change - at, ahead - own)))
    }
}

/// The instants at which a clock shows a time that makes a difference, and whether it is waited for.
fn edges(readings: &[Reading], clocks: &[Clock]) -> BTreeSet<(i64, bool)> {
    let ordinary = Witness::ORDINARY_AT;
    let in_a_year = |change: &i64| *change <= ordinary.ms() + YEAR_MS;
    let changes = clocks.iter().flat_map(|clock| clock.changes.iter().map(|(change, _)| *change));
    let changes: BTreeSet<i64> = changes.filter(in_a_year).collect();
    let mut edges = BTreeSet::new();
    for Reading { times, days, clock, is_wait } in readings {
        let mut found = BTreeSet::new();
        // What holds every day holds on the first day as on any other.
        edges_of(times, *days, clock, ordinary, &mut found);
        for change in &changes {
            // The next week as the ordinary one is, from its Monday at noon on.
            let weeks = (change - ordinary.ms()) / WEEK_MS + 1;
            edges_of(times, *days, clock, ordinary.plus(Span::from_ms(weeks * WEEK_MS)), &mut found);
            for before in [3 * DAY_MS / 2, DAY_MS / 2, 0] {
                edges_of(times, Days::ALL, clock, Instant::from_ms(change - before), &mut found);
            }
        }
        edges.extend(found.into_iter().map(|edge| (edge, *is_wait)));
    }
    edges
}

/// The next instants at which the clock shows one of `times`: on the first day where every day is
/// alike, where the weekend is another on the days around it, else in the whole week; from a Monday at noon on.
fn edges_of(times: &[TimeOfDay], days: Days, clock: &TimeZone, monday: Instant, out: &mut BTreeSet<i64>) {
    let ahead: &[i64] = match days {
        Days::ALL => &[0],
        Days::WEEKDAYS | Days::WEEKENDS => &[0, 4, 5, 6],
        _ => &[0, 1, 2, 3, 4, 5, 6],
    };
    for day in ahead {
        let from = monday.plus(Span::from_ms(day * DAY_MS));
        for time in times {
            out.extend(time.next(from, Days::ALL, clock).map(Instant::ms));
        }
    }
}

fn clock(zone: &Zone, catalog: &Catalog) -> TimeZone {
    let table = ZoneTable;
    let default = || catalog.zone.as_deref().and_then(|zone| table.get(zone)).unwrap_or(TimeZone::UTC);
    match zone {
        Zone::Named(name) | Zone::Contact { otherwise: Some(name) } => {
            table.get(name).unwrap_or_else(default)
        }
        Zone::Contact { otherwise: None } => default(),
    }
}
