//! Runs cases, and lays what was expected beside what happened.

use std::collections::BTreeSet;

use crate::language::yaml::Place;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{Part, Parts};
use crate::machine::{Machine, Scenario, Timeline, simulate_watched};
use crate::model::Span;

use super::{Case, Expected, Row};

/// What came of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseRun {
    /// What happened.
    pub timeline: Timeline,
    /// What did not hold; empty where everything did.
    pub troubles: Vec<Trouble>,
    /// What was expected beside what happened, in the order of time.
    pub pairs: Vec<Pair>,
    /// The parts of the machine that it came by.
    pub parts: BTreeSet<Part>,
}

/// One thing that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Where it is expected; the case itself, where it expects nothing.
    pub at: Place,
    /// The line.
    pub expected: String,
    /// What is wrong with it.
    pub message: String,
}

/// A row of the two timelines: what was expected, and what happened, each with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// What was expected.
    pub expected: Option<(String, String)>,
    /// What happened.
    pub happened: Option<(String, String)>,
    /// Whether what was expected happened, or nothing was.
    pub holds: bool,
}

/// Runs a case.
#[must_use]
pub fn run(case: &Case, machine: &Machine, catalog: &Catalog, parts: &Parts<'_>) -> CaseRun {
    let scenario = Scenario::given(machine, &case.facts, catalog.clone(), case.accepted_at);
    let mut came_by = BTreeSet::new();
    let timeline = simulate_watched(&scenario, &case.scripts, &mut |before, after, is_quiet| {
        parts.came_by(before, after, is_quiet, &mut came_by);
    });
    let mut troubles = Vec::new();
    let lines = match &case.expect {
        None => {
            let message =
                "the case expects nothing; write `expect:`, or run with `--update` to record what happens";
            troubles.push(Trouble { at: case.at, expected: String::new(), message: message.to_owned() });
            &[][..]
        }
        Some(lines) if lines.is_empty() => {
            let message = "the case expects nothing; write lines below `expect:`, or run with `--update`";
            troubles.push(Trouble { at: case.at, expected: String::new(), message: message.to_owned() });
            &[][..]
        }
        Some(lines) => lines.as_slice(),
    };
    let rows = Row::of(&timeline);
    let in_order: Vec<&(Expected, Place)> =
        lines.iter().filter(|(e, _)| matches!(e, Expected::Event { .. } | Expected::End { .. })).collect();
    let matched = aligned(&in_order, &rows);
    for ((expected, at), row) in in_order.iter().zip(&matched) {
        if row.is_none() {
            troubles.push(Trouble {
                at: *at,
                expected: expected.to_string(),
                message: missed(expected, &rows),
            });
        }
    }
    for (expected, at) in lines {
        if let Some(message) = wrong_in_whole(expected, &timeline) {
            troubles.push(Trouble { at: *at, expected: expected.to_string(), message });
        }
    }
    troubles.sort_by_key(|trouble| trouble.at);
    let pairs = pairs(&in_order, &rows, &matched);
    CaseRun { timeline, troubles, pairs, parts: came_by }
}

/// For each line the row that it is about: as many as can be, in order.
fn aligned(lines: &[&(Expected, Place)], rows: &[Row<'_>]) -> Vec<Option<usize>> {
    let (count, width) = (lines.len(), rows.len());
    // The most matches of what is left, from each line and row on.
    let mut most = vec![vec![0_usize; width + 1]; count + 1];
    for line in (0..count).rev() {
        for row in (0..width).rev() {
            let taken = if lines[line].0.fits(rows[row]) { most[line + 1][row + 1] + 1 } else { 0 };
            most[line][row] = taken.max(most[line + 1][row]).max(most[line][row + 1]);
        }
    }
    let (mut line, mut row) = (0, 0);
    let mut found = vec![None; count];
    while line < count && row < width {
        if lines[line].0.fits(rows[row]) && most[line][row] == most[line + 1][row + 1] + 1 {
            found[line] = Some(row);
            (line, row) = (line + 1, row + 1);
        } else if most[line + 1][row] >= most[line][row + 1] {
            // What fits nothing takes no row from the lines behind it.
            line += 1;
        } else {
            row += 1;
        }
    }
    found
}

/// Why a line fits no row: what comes nearest to it.
fn missed(expected: &Expected, rows: &[Row<'_>]) -> String {
    match expected {
        Expected::Event { at, event } => {
            let alike = |row: &&Row<'_>| matches!(row, Row::Entry(entry) if event.fits(entry));
            let other = rows.iter().filter(alike).min_by_key(|row| (row.at().ms() - at.ms()).abs());
            match other {
                Some(row) if row.at() == *at => "it happened, but not in this order".to_owned(),
                Some(row) => format!("it happened at {}", row.at()),
                None => "it did not happen".to_owned(),
            }
        }
        _ => match rows.last() {
            Some(Row::End(end)) => {
                format!("it ended {} at {}", super::end_line(end), Span::from_ms(end.at_ms))
            }
            _ => "it did not happen".to_owned(),
        },
    }
}

/// What is wrong with a line about the whole run.
pub(super) fn wrong_in_whole(expected: &Expected, timeline: &Timeline) -> Option<String> {
    match expected {
        Expected::Never(event) => {
            let entry = timeline.timeline.iter().find(|entry| event.fits(entry))?;
            Some(format!("it happened at {}", Span::from_ms(entry.at_ms)))
        }
        Expected::Sends(sends) if *sends != timeline.sends => Some(format!("there were {}", timeline.sends)),
        Expected::Cost(cost) if Some(*cost) != timeline.cost => Some(match timeline.cost {
            Some(cost) => format!("it cost {cost}"),
            None => "there are no prices; name a catalog with `--catalog`".to_owned(),
        }),
        _ => None,
    }
}

fn pairs(lines: &[&(Expected, Place)], rows: &[Row<'_>], matched: &[Option<usize>]) -> Vec<Pair> {
    let shown = |expected: &Expected| match expected {
        Expected::Event { at, event } => (at.to_string(), event.to_string()),
        other => {
            let text = other.to_string();
            let (at, rest) = text.split_once(": ").unwrap_or(("", &text));
            if at == "end" {
                (String::new(), format!("end {rest}"))
            } else {
                (at.to_owned(), rest.to_owned())
            }
        }
    };
    let happened = |row: Row<'_>| Some((row.at().to_string(), row.text()));
    let mut pairs = Vec::new();
    let mut row = 0;
    let mut missing: Vec<&Expected> = Vec::new();
    for (place, (expected, _)) in lines.iter().enumerate() {
        let Some(at) = matched[place] else {
            missing.push(expected);
            continue;
        };
        between(&mut missing, &rows[row..at], &shown, &mut pairs);
        pairs.push(Pair { expected: Some(shown(expected)), happened: happened(rows[at]), holds: true });
        row = at + 1;
    }
    between(&mut missing, &rows[row..], &shown, &mut pairs);
    pairs
}

/// What was expected in vain, each beside what happened in its stead.
fn between(
    missing: &mut Vec<&Expected>,
    rows: &[Row<'_>],
    shown: &dyn Fn(&Expected) -> (String, String),
    pairs: &mut Vec<Pair>,
) {
    for row in rows {
        // The same thing at another time, or the end.
        let stead = missing.iter().position(|expected| match (expected, row) {
            (Expected::Event { event, .. }, Row::Entry(entry)) => {
                event.what == entry.what && event.channel.is_none_or(|c| c == entry.channel)
            }
            (Expected::End { .. }, Row::End(_)) => true,
            _ => false,
        });
        let happened = Some((row.at().to_string(), row.text()));
        match stead {
            Some(place) => {
                for expected in missing.drain(..place) {
                    pairs.push(Pair { expected: Some(shown(expected)), happened: None, holds: false });
                }
                let expected = missing.remove(0);
                pairs.push(Pair { expected: Some(shown(expected)), happened, holds: false });
            }
            None => pairs.push(Pair { expected: None, happened, holds: true }),
        }
    }
    for expected in missing.drain(..) {
        pairs.push(Pair { expected: Some(shown(expected)), happened: None, holds: false });
    }
}
