//! The counters of quotas: what was used in the day and the month, and what is under way.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::model::shapes::QuotaName;
use crate::model::{Instant, Span};
use crate::store::UsageDelta;
use crate::store::rows::{QuotaRow, UsageRow, UsageWindow};

/// The thresholds that are told, in percent of a limit.
const THRESHOLDS: [u8; 2] = [80, 100];

/// One counter in one window.
#[derive(Debug, Clone, Copy, Default)]
struct Counter {
    start: Option<Instant>,
    used: u64,
    told: u8,
}

/// One quota.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    limit: [Option<u64>; 2],
    counters: [Counter; 2],
    under_way: u64,
}

/// The quotas of a scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotas {
    by_name: BTreeMap<&'static str, Counted>,
}

/// A threshold that was crossed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Crossed {
    pub(super) name: &'static str,
    pub(super) window: UsageWindow,
    pub(super) limit: u64,
    pub(super) used: u64,
    pub(super) percent: u8,
    pub(super) resets_at: Instant,
}

const WINDOWS: [UsageWindow; 2] = [UsageWindow::Day, UsageWindow::Month];

fn place(window: UsageWindow) -> usize {
    match window {
        UsageWindow::Day => 0,
        UsageWindow::Month => 1,
    }
}

/// When the window that holds an instant began, and when it ends, in UTC.
pub(super) fn window(window: UsageWindow, at: Instant) -> (Instant, Instant) {
    let time = jiff::Timestamp::from_millisecond(at.ms()).unwrap_or_default();
    let date = TimeZone::UTC.to_datetime(time).date();
    let (from, to) = match window {
        UsageWindow::Day => (date, date.tomorrow().unwrap_or(date)),
        UsageWindow::Month => {
            let first = date.first_of_month();
            (first, date.last_of_month().tomorrow().unwrap_or(first))
        }
    };
    let ms = |date: jiff::civil::Date| {
        TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_or(at.ms(), |t| t.as_millisecond())
    };
    (Instant::from_ms(ms(from)), Instant::from_ms(ms(to)))
}

impl Quotas {
    /// From what is stored.
    pub(super) fn load(limits: Vec<QuotaRow>, usage: Vec<UsageRow>) -> Quotas {
        let mut quotas = Quotas::default();
        quotas.set_limits(limits);
        for row in usage {
            let Ok(name) = row.name.parse::<QuotaName>() else { continue };
            let counter = &mut quotas.by_name.entry(name.word()).or_default().counters[place(row.window)];
            if counter.start.is_none_or(|start| start < row.start) {
                *counter = Counter { start: Some(row.start), used: row.used, told: row.told_percent };
            }
        }
        quotas
    }

    /// Takes what all nodes have counted, where that is more than was known here.
    pub(super) fn take_usage(&mut self, usage: Vec<UsageRow>) {
        for row in usage {
            let Ok(name) = row.name.parse::<QuotaName>() else { continue };
            let counter = &mut self.by_name.entry(name.word()).or_default().counters[place(row.window)];
            let is_newer = counter.start.is_none_or(|start| start < row.start);
            if is_newer || counter.start == Some(row.start) && counter.used < row.used {
                *counter = Counter { start: Some(row.start), used: row.used, told: row.told_percent };
            }
        }
    }

    pub(super) fn set_limits(&mut self, limits: Vec<QuotaRow>) {
        for counted in self.by_name.values_mut() {
            counted.limit = [None, None];
        }
        for row in limits {
            if let Ok(name) = row.name.parse::<QuotaName>() {
                self.by_name.entry(name.word()).or_default().limit = [row.day, row.month];
            }
        }
    }

    /// Whether nothing more may pass; what is under way counts, and `begun` more that nobody has
    /// counted yet. And when the window ends that says so.
    pub(super) fn used_up(&self, name: QuotaName, now: Instant, begun: u32) -> Option<Instant> {
        let counted = self.by_name.get(name.word())?;
        WINDOWS
            .into_iter()
            .filter_map(|each| {
                let limit = counted.limit[place(each)]?;
                let (start, end) = window(each, now);
                let counter = counted.counters[place(each)];
                let used = if counter.start == Some(start) { counter.used } else { 0 };
                (used.saturating_add(counted.under_way).saturating_add(u64::from(begun)) >= limit)
                    .then_some(end)
            })
            .max()
    }

    /// A place is taken.
    pub(super) fn begin(&mut self, name: QuotaName) {
        self.by_name.entry(name.word()).or_default().under_way += 1;
    }

    /// A place is given back.
    pub(super) fn release(&mut self, name: QuotaName) {
        let counted = self.by_name.entry(name.word()).or_default();
        counted.under_way = counted.under_way.saturating_sub(1);
    }

    /// Counts `add` uses; what is to be written, and what was crossed by it.
    pub(super) fn count(
        &mut self,
        name: QuotaName,
        add: u32,
        now: Instant,
    ) -> (Vec<UsageDelta>, Vec<Crossed>) {
        let counted = self.by_name.entry(name.word()).or_default();
        let (mut deltas, mut crossed) = (Vec::new(), Vec::new());
        for each in WINDOWS {
            let (start, resets_at) = window(each, now);
            let counter = &mut counted.counters[place(each)];
            if counter.start != Some(start) {
                *counter = Counter { start: Some(start), used: 0, told: 0 };
            }
            counter.used = counter.used.saturating_add(u64::from(add));
            // A use that crosses both tells both.
            for percent in THRESHOLDS {
                let Some(limit) = counted.limit[place(each)] else { break };
                let reached = u128::from(counter.used) * 100 >= u128::from(limit) * u128::from(percent);
                if reached && percent > counter.told {
                    let (used, name) = (counter.used, name.word());
                    counter.told = percent;
                    crossed.push(Crossed { name, window: each, limit, used, percent, resets_at });
                }
            }
            let told_percent = counter.told;
            let name = name.word().to_owned();
            deltas.push(UsageDelta {
                name,
                window: each,
                start,
                add: i64::from(add),
                told_percent,
                held: 0,
                limit: None,
            });
        }
        (deltas, crossed)
    }

    /// Takes back what [`Self::count`] counted and was not written. What was crossed stays told: its
    /// event goes with the next change.
    pub(super) fn uncount(&mut self, deltas: &[UsageDelta]) {
        for delta in deltas {
            let Ok(name) = delta.name.parse::<QuotaName>() else { continue };
            let counter = &mut self.by_name.entry(name.word()).or_default().counters[place(delta.window)];
            if counter.start == Some(delta.start) {
                counter.used = counter.used.saturating_sub(delta.add.unsigned_abs());
            }
        }
    }

    /// How many were used in the day and in the month, those under way not counted.
    pub(super) fn usage(&self, now: Instant) -> BTreeMap<String, (u64, u64)> {
        let used = |counted: &Counted, each: UsageWindow| {
            let counter = counted.counters[place(each)];
            if counter.start == Some(window(each, now).0) { counter.used } else { 0 }
        };
        let both = |counted: &Counted| (used(counted, UsageWindow::Day), used(counted, UsageWindow::Month));
        self.by_name.iter().map(|(name, counted)| ((*name).to_owned(), both(counted))).collect()
    }
}

/// How long until an instant, at least a second: for `Retry-After`.
pub(super) fn wait(now: Instant, until: Instant) -> Span {
    until.since(now).max(Span::from_s(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().unwrap()
    }

    fn quotas(day: u64) -> Quotas {
        let row = QuotaRow { name: "sms".into(), day: Some(day), month: None };
        Quotas::load(vec![row], Vec::new())
    }

    const SMS: QuotaName = QuotaName::Channel(crate::model::Channel::Sms);

    #[test]
    fn no_more_pass_than_the_limit_those_under_way_counted() {
        let (mut quotas, now) = (quotas(2), at("2026-01-31T23:59:00Z"));
        quotas.begin(SMS);
        assert_eq!(quotas.used_up(SMS, now, 0), None);
        quotas.begin(SMS);
        assert_eq!(quotas.used_up(SMS, now, 0), Some(at("2026-02-01T00:00:00Z")));
        quotas.release(SMS);
        quotas.count(SMS, 1, now);
        assert!(quotas.used_up(SMS, now, 0).is_some());
        assert!(quotas.used_up(SMS, at("2026-02-01T00:00:00Z"), 0).is_none());
    }

    #[test]
    fn a_threshold_is_told_once_a_window_also_where_its_change_was_lost() {
        let (mut quotas, now) = (quotas(10), at("2026-01-31T12:00:00Z"));
        let mut told = Vec::new();
        for _ in 0..12 {
            told.extend(
                quotas.count(SMS, 1, now).1.into_iter().map(|crossed| (crossed.used, crossed.percent)),
            );
        }
        assert_eq!(told, [(8, 80), (10, 100)]);
        let mut lost = super::tests::quotas(1);
        let (deltas, crossed) = lost.count(SMS, 1, now);
        assert_eq!(crossed.iter().map(|crossed| crossed.percent).collect::<Vec<_>>(), [80, 100]);
        lost.uncount(&deltas);
        let (deltas, crossed) = lost.count(SMS, 1, now);
        assert_eq!(crossed, []);
        assert_eq!(deltas[0].told_percent, 100, "written with every use, so with the next");
    }
}
