//! How replayed messages are written: for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json as object};

use crate::model::{Currency, Money, Span};

use super::outcome::{Change, Ran, Replayed, told};

/// What came of the messages of an export.
#[derive(Debug, Default)]
pub struct Report {
    /// The messages that were run.
    pub messages: Vec<Replayed>,
    /// Why others were not, and how many.
    pub left_out: BTreeMap<String, usize>,
}

/// Rows that people are shown; the JSON has all.
const ROWS_MAX: usize = 50;

impl Report {
    pub(super) fn left_out(&mut self, why: String) {
        *self.left_out.entry(why).or_default() += 1;
    }

    pub(super) fn add(&mut self, replayed: Replayed) {
        self.messages.push(replayed);
    }

    /// How many messages each change happens to.
    #[must_use]
    pub fn counts(&self) -> Vec<(Change, usize)> {
        let changes: Vec<Change> = self.messages.iter().flat_map(Replayed::changes).collect();
        let count = |change: Change| changes.iter().filter(|known| **known == change).count();
        Change::ALL.into_iter().map(|change| (change, count(change))).collect()
    }

    /// Messages to which something happens.
    pub fn changed(&self) -> impl Iterator<Item = (&Replayed, Vec<Change>)> {
        self.messages.iter().map(|m| (m, m.changes())).filter(|(_, changes)| !changes.is_empty())
    }

    /// What was assumed, and in how many messages.
    #[must_use]
    pub fn assumed(&self) -> BTreeMap<&str, usize> {
        let mut assumed: BTreeMap<&str, usize> = BTreeMap::new();
        for what in self.messages.iter().flat_map(|message| &message.assumed) {
            *assumed.entry(what).or_default() += 1;
        }
        assumed
    }

    /// How many messages went in fact otherwise than their own version does when nothing is late.
    #[must_use]
    pub fn not_as_recorded(&self) -> usize {
        self.messages.iter().filter(|message| !message.as_recorded).count()
    }

    fn sends(&self, of: fn(&Replayed) -> &Ran) -> usize {
        self.messages.iter().map(|message| of(message).sent.len()).sum()
    }

    /// What all of them cost, by currency.
    fn cost(&self, of: fn(&Replayed) -> &Ran) -> Vec<Money> {
        let mut sums: Vec<(Currency, i64)> = Vec::new();
        for cost in self.messages.iter().filter_map(|message| of(message).cost) {
            match sums.iter_mut().find(|(currency, _)| *currency == cost.currency) {
                Some((_, sum)) => *sum += cost.micros,
                None => sums.push((cost.currency, cost.micros)),
            }
        }
        sums.into_iter().map(|(currency, micros)| Money { micros, currency }).collect()
    }
}

fn own(message: &Replayed) -> &Ran {
    &message.own
}

fn other(message: &Replayed) -> &Ran {
    &message.other
}

fn counted(n: usize) -> String {
    format!("{n} {}", if n == 1 { "message" } else { "messages" })
}

/// The middle one of all sooner, or later, tellings.
fn median(mut spans: Vec<i64>) -> Option<Span> {
    spans.sort_unstable();
    spans.get(spans.len() / 2).map(|ms| Span::from_ms(*ms))
}

/// Puts rows into columns below their heads.
pub type Table = dyn Fn(&[&str], &[Vec<String>]) -> String;

/// For people.
#[must_use]
pub fn human(report: &Report, table: &Table) -> String {
    let mut out = format!("{} run again by the other version\n", counted(report.messages.len()));
    for (why, count) in &report.left_out {
        _ = writeln!(out, "{} left out: {why}", counted(*count));
    }
    let apart = report.not_as_recorded();
    if apart > 0 {
        _ = writeln!(
            out,
            "{} went in fact otherwise than by their own version run again (a server was late, or down); \
             compared is what their own version does in time",
            counted(apart)
        );
    }
    out.push('\n');
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (change, count) in report.counts().into_iter().filter(|(_, count)| *count > 0) {
        let moved = |wanted: fn(i64) -> bool| {
            let moved = report.messages.iter().filter_map(Replayed::moved_by_ms).filter(|ms| wanted(*ms));
            median(moved.map(i64::abs).collect())
                .map_or(String::new(), |m| format!("half of them by {m} or more"))
        };
        let more = match change {
            Change::Sooner => moved(|ms| ms < 0),
            Change::Later => moved(|ms| ms > 0),
            _ => String::new(),
        };
        rows.push(vec![change.text().to_owned(), count.to_string(), more]);
    }
    if rows.is_empty() {
        out.push_str("nothing would have been different\n");
    } else {
        out.push_str(&table(&["WHAT", "MESSAGES", ""], &rows));
    }
    _ = writeln!(out, "\nsends  {} instead of {}", report.sends(other), report.sends(own));
    for (from, to) in report.cost(own).iter().zip(report.cost(other)) {
        _ = writeln!(out, "cost   {to} instead of {from}");
    }
    let changed: Vec<_> = report.changed().collect();
    if !changed.is_empty() {
        let row = |(message, changes): &(&Replayed, Vec<Change>)| {
            let what: Vec<&str> = changes.iter().map(|change| change.text()).collect();
            let (from, to) = (told(&message.own, message.start), told(&message.other, message.start));
            vec![message.message_id.clone(), message.policy.clone(), from, to, what.join(", ")]
        };
        let rows: Vec<_> = changed.iter().take(ROWS_MAX).map(row).collect();
        _ = write!(out, "\n{}", table(&["MESSAGE", "POLICY", "BEFORE", "AFTER", "WHAT"], &rows));
        if changed.len() > ROWS_MAX {
            _ = writeln!(out, "and {} more; `--format json` has all", counted(changed.len() - ROWS_MAX));
        }
    }
    let assumed = report.assumed();
    if !assumed.is_empty() {
        out.push_str("\nassumed, where the record says nothing:\n");
        for (what, count) in assumed {
            _ = writeln!(out, "  {what} ({})", counted(count));
        }
    }
    out
}

/// For programs: one object.
#[must_use]
pub fn json(report: &Report) -> Value {
    let counts: Map<String, Value> = report
        .counts()
        .into_iter()
        .map(|(change, count)| (serde_json::to_value(change).unwrap_or_default(), count))
        .filter_map(|(change, count)| Some((change.as_str()?.to_owned(), count.into())))
        .collect();
    let assumed: Vec<Value> = report
        .assumed()
        .into_iter()
        .map(|(what, count)| object!({"what": what, "messages": count}))
        .collect();
    let left_out: Vec<Value> =
        report.left_out.iter().map(|(why, count)| object!({"why": why, "messages": count})).collect();
    let changed: Vec<Value> = report
        .changed()
        .map(|(message, changes)| {
            object!({
                "message_id": message.message_id, "policy": message.policy, "start": message.start,
                "changes": changes, "moved_by_ms": message.moved_by_ms(),
                "own": message.own, "other": message.other,
                "as_recorded": message.as_recorded, "assumed": message.assumed,
            })
        })
        .collect();
    object!({
        "messages": report.messages.len(),
        "left_out": left_out,
        "not_as_recorded": report.not_as_recorded(),
        "counts": counts,
        "sends": {"own": report.sends(own), "other": report.sends(other)},
        "cost": {"own": report.cost(own), "other": report.cost(other)},
        "assumed": assumed,
        "changed": changed,
    })
}
