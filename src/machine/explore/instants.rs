//! The instants of acceptance that can make a difference: on each side of each edge of a window, for
//! each time after acceptance at which something can start.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;

use crate::language::policy::Wait;
use crate::machine::catalog::Catalog;
use crate::machine::plan::{Kind, Machine};
use crate::model::{Days, Instant, Span, TimeOfDay, Zone, ZoneTable};

use super::space::windows;
use super::witness::Witness;

/// The most instants.
const INSTANTS_MAX: usize = 96;
/// The most times after acceptance that are looked at.
const OFFSETS_MAX: usize = 8;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

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

/// When stages can start by their `after`s and waits alone, counted from acceptance.
fn offsets(machine: &Machine) -> Vec<i64> {
    let mut offsets = BTreeSet::from([0_i64]);
    for id in machine.ids() {
        let stage = machine.stage(id);
        let own = match &stage.kind {
            Kind::Wait(Wait::For(span)) => Some(*span),
            _ => stage.after,
        };
        let Some(own) = own else { continue };
        let later: Vec<i64> = offsets.iter().map(|offset| offset.saturating_add(own.ms())).collect();
        offsets.extend(later);
    }
    offsets.into_iter().take(OFFSETS_MAX).collect()
}

/// The instants, the ordinary one first, and whether they are all that can make a difference.
pub(super) fn of(machine: &Machine, catalog: &Catalog, zones: &[Zone]) -> (Vec<Instant>, bool) {
    let ordinary = Witness::ORDINARY_AT;
    if zones.is_empty() {
        return (vec![ordinary], true);
    }
    let mut edges: BTreeSet<i64> = BTreeSet::new();
    for (_, window) in windows(machine) {
        let clock = clock(&window.zone, catalog);
        // What holds every day holds on the first day as on any other.
        edges_of(&[window.from, window.to], window.days, &clock, &mut edges);
    }
    for id in machine.ids() {
        if let Kind::Wait(Wait::Until { time, days, zone }) = &machine.stage(id).kind {
            edges_of(&[*time], *days, &clock(zone, catalog), &mut edges);
        }
    }
    let offsets = offsets(machine);
    let mut instants = vec![ordinary];
    let mut whole = true;
    // First what is accepted at the edges themselves.
    for offset in offsets {
        for edge in &edges {
            for at in [edge - offset, edge - offset - MINUTE_MS] {
                // Never before the ordinary week: a week later is the same.
                let week = 7 * DAY_MS;
                let at = if at < ordinary.ms() { at + week * ((ordinary.ms() - at) / week + 1) } else { at };
                let at = Instant::from_ms(at);
                if instants.contains(&at) {
                    continue;
                }
                whole &= instants.len() < INSTANTS_MAX;
                if instants.len() < INSTANTS_MAX {
                    instants.push(at);
                }
            }
        }
    }
    (instants, whole)
}

/// The next instants at which the clock shows one of `times`: on the first day where every day is
/// alike, where the weekend is another on the days around it, else in the whole week.
fn edges_of(times: &[TimeOfDay], days: Days, clock: &TimeZone, out: &mut BTreeSet<i64>) {
    // Counted from a Monday at noon.
    let ahead: &[i64] = match days {
        Days::ALL => &[0],
        Days::WEEKDAYS | Days::WEEKENDS => &[0, 4, 5, 6],
        _ => &[0, 1, 2, 3, 4, 5, 6],
    };
    for day in ahead {
        let from = Witness::ORDINARY_AT.plus(Span::from_ms(day * DAY_MS));
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
