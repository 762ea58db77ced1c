//! The counters of quotas: what was used in the day and the month, and what is under way.
//!
//! On a store of one node memory counts, and the rows follow. On a shared store the rows count: a change
//! says what it takes and what it must stay within, and the store refuses it where others were first.
//! Memory then is a view of the rows, which may be behind; it is read again now and then, and before
//! anything is refused because of it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::model::shapes::QuotaName;
use crate::model::{Instant, Span};
use crate::store::UsageDelta;
use crate::store::rows::{QuotaRow, UsageRow, UsageWindow};

/// The thresholds that are told, in percent of a limit.
const THRESHOLDS: [u8; 2] = [80, 100];

/// How long a view of the rows is looked at before it is read again: where something may be refused by
/// it, and else.
const VIEW_AGE_MAX: (Span, Span) = (Span::from_ms(100), Span::from_s(1));

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
    /// Places that are given back by changes which are not durable yet: on a shared store they still
    /// stand in the rows.
    giving: u64,
}

/// The quotas of a scope.
#[derive(Debug, Clone, Default)]
pub(super) struct Quotas {
    by_name: BTreeMap<&'static str, Counted>,
    /// Other nodes count too.
    is_shared: bool,
    /// When the view of the rows was read, in real time.
    read_at: Option<Instant>,
    /// How often something was written, and how often when the view was asked for.
    moves: (u64, u64),
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
    /// From what is stored; `read_at` in real time.
    pub(super) fn load(
        limits: Vec<QuotaRow>,
        usage: Vec<UsageRow>,
        is_shared: bool,
        read_at: Instant,
    ) -> Quotas {
        let mut quotas = Quotas { is_shared, ..Quotas::default() };
        quotas.set_limits(limits);
        quotas.view(usage, read_at, 0);
        quotas
    }

    /// How often something was written: to be asked before the rows are.
    pub(super) fn moves(&self) -> u64 {
        self.moves.0
    }

    /// Takes the counters as they stand in the rows, of all nodes together; `read_at` is when they were
    /// asked for, in real time, and `moves` what [`Self::moves`] gave then.
    pub(super) fn view(&mut self, usage: Vec<UsageRow>, read_at: Instant, moves: u64) {
        for counted in self.by_name.values_mut() {
            counted.counters = [Counter::default(); 2];
            if self.is_shared {
                counted.under_way = 0;
            }
        }
        for row in usage {
            let Ok(name) = row.name.parse::<QuotaName>() else { continue };
            let counted = self.by_name.entry(name.word()).or_default();
            if self.is_shared {
                // What is being taken may be refused; what is being given back is free for who asks here.
                counted.under_way = row.held.saturating_sub(counted.giving);
            }
            let counter = &mut counted.counters[place(row.window)];
            if counter.start.is_none_or(|start| start < row.start) {
                *counter = Counter { start: Some(row.start), used: row.used, told: row.told_percent };
            }
        }
        self.read_at = Some(read_at);
        self.moves.1 = moves;
    }

    /// Since when rows are to be read, so that what is held shows also where a window has just begun.
    pub(super) fn since(now: Instant) -> Instant {
        let (month, _) = window(UsageWindow::Month, now);
        window(UsageWindow::Month, Instant::from_ms(month.ms() - 1)).0
    }

    /// Whether the view may be too old for what is asked: `more` of a quota at `now`. Never where memory
    /// counts.
    pub(super) fn is_unsure(&self, name: QuotaName, more: u32, now: Instant, real_now: Instant) -> bool {
        let Some(counted) = self.by_name.get(name.word()).filter(|_| self.is_shared) else { return false };
        if counted.limit == [None, None] {
            return false;
        }
        let near = self.used_up(name, now, more).is_some();
        let age_max = if near { VIEW_AGE_MAX.0 } else { VIEW_AGE_MAX.1 };
        self.read_at.is_none_or(|at| real_now.since(at) >= age_max || at > real_now)
    }

    /// When the view is to be read again because something was counted, in real time.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let limited = || self.by_name.values().any(|counted| counted.limit != [None, None]);
        let looks = self.is_shared && self.moves.0 != self.moves.1 && limited();
        looks.then(|| self.read_at.map_or(Instant::from_ms(0), |at| at.plus(VIEW_AGE_MAX.1)))
    }

    /// The thresholds that are reached and that no row says to be told, on a shared store. What is to be
    /// written with each, where no other node tells it first.
    pub(super) fn untold(&self, now: Instant) -> Vec<(UsageDelta, Crossed)> {
        let mut untold = Vec::new();
        for (name, counted) in self.by_name.iter().filter(|_| self.is_shared) {
            for each in WINDOWS {
                let (start, resets_at) = window(each, now);
                let counter = counted.counters[place(each)];
                let (Some(limit), true) = (counted.limit[place(each)], counter.start == Some(start)) else {
                    continue;
                };
                for percent in THRESHOLDS.into_iter().filter(|percent| *percent > counter.told) {
                    if is_reached(counter.used, limit, percent) {
                        let crossed =
                            Crossed { name, window: each, limit, used: counter.used, percent, resets_at };
                        let told_percent = percent;
                        untold.push((UsageDelta { told_percent, ..delta(name, each, start) }, crossed));
                    }
                }
            }
        }
        untold
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

    /// A call is under way again that was when a message was read: where the rows count, they have it.
    pub(super) fn resume(&mut self, name: QuotaName) {
        if !self.is_shared {
            self.begin(name);
        }
    }

    /// A message with a call under way leaves memory.
    pub(super) fn leave(&mut self, name: QuotaName) {
        if !self.is_shared {
            self.release(name);
        }
    }

    /// A place is taken for a call: what is to be written for it, nothing where memory counts or nothing
    /// is limited.
    pub(super) fn hold(&mut self, name: QuotaName, now: Instant) -> Vec<UsageDelta> {
        self.begin(name);
        let limits = self.by_name.get(name.word()).map(|counted| counted.limit).unwrap_or_default();
        if !self.is_shared || limits == [None, None] {
            return Vec::new();
        }
        let mut held = 1;
        let deltas = WINDOWS.into_iter().map(|each| UsageDelta {
            held: std::mem::take(&mut held),
            limit: limits[place(each)],
            ..delta(name.word(), each, window(each, now).0)
        });
        deltas.collect()
    }

    /// What is to be written where a place that was taken by [`Self::hold`] is given back; in memory it
    /// was released already. [`Self::settled`] says when that is over.
    pub(super) fn give_back(&mut self, name: QuotaName, now: Instant) -> UsageDelta {
        self.by_name.entry(name.word()).or_default().giving += 1;
        let start = window(UsageWindow::Day, now).0;
        UsageDelta { held: -1, ..delta(name.word(), UsageWindow::Day, start) }
    }

    /// What was to be written is written, or will not be.
    pub(super) fn settled(&mut self, deltas: &[UsageDelta]) {
        self.moves.0 += u64::from(!deltas.is_empty());
        for delta in deltas.iter().filter(|delta| delta.held < 0) {
            if let Some(counted) = delta.name.parse::<QuotaName>().ok().and_then(|name| self.counted(name)) {
                counted.giving = counted.giving.saturating_sub(delta.held.unsigned_abs());
            }
        }
    }

    fn counted(&mut self, name: QuotaName) -> Option<&mut Counted> {
        self.by_name.get_mut(name.word())
    }

    /// Counts `add` uses; what is to be written, and what was crossed by it. `takes`: they took no place
    /// before, so that the store must look at the limits.
    pub(super) fn count(
        &mut self,
        name: QuotaName,
        add: i32,
        takes: bool,
        now: Instant,
    ) -> (Vec<UsageDelta>, Vec<Crossed>) {
        let is_shared = self.is_shared;
        let counted = self.by_name.entry(name.word()).or_default();
        let (mut deltas, mut crossed) = (Vec::new(), Vec::new());
        for each in WINDOWS {
            let (start, resets_at) = window(each, now);
            let limit = counted.limit[place(each)];
            let counter = &mut counted.counters[place(each)];
            if counter.start != Some(start) {
                *counter = Counter { start: Some(start), used: 0, told: 0 };
            }
            counter.used = counter.used.saturating_add_signed(i64::from(add));
            let mut told_percent = 0;
            // A use that crosses both tells both. On a shared store what is reached is told by the rows.
            for percent in THRESHOLDS.into_iter().filter(|_| !is_shared) {
                let Some(limit) = limit else { break };
                if is_reached(counter.used, limit, percent) && percent > counter.told {
                    let (used, name) = (counter.used, name.word());
                    counter.told = percent;
                    told_percent = percent;
                    crossed.push(Crossed { name, window: each, limit, used, percent, resets_at });
                }
            }
            deltas.push(UsageDelta {
                add: i64::from(add),
                told_percent,
                limit: limit.filter(|_| takes && is_shared),
                ..delta(name.word(), each, start)
            });
        }
        (deltas, crossed)
    }

    /// Takes back what [`Self::count`] counted and told, and what was not written: it is told by the next
    /// use that is.
    pub(super) fn uncount(&mut self, deltas: &[UsageDelta], crossed: &[Crossed]) {
        for delta in deltas {
            let Ok(name) = delta.name.parse::<QuotaName>() else { continue };
            let Some(counted) = self.counted(name) else { continue };
            let counter = &mut counted.counters[place(delta.window)];
            if counter.start == Some(delta.start) {
                counter.used = counter.used.saturating_add_signed(delta.add.saturating_neg());
                let told = crossed.iter().filter(|it| (it.name, it.window) == (name.word(), delta.window));
                if let Some(first) = told.map(|crossed| crossed.percent).min() {
                    let before = |percent: &u8| *percent < first;
                    counter.told = THRESHOLDS.into_iter().filter(before).max().unwrap_or_default();
                }
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

/// Whether a share of a limit is used.
fn is_reached(used: u64, limit: u64, percent: u8) -> bool {
    u128::from(used) * 100 >= u128::from(limit) * u128::from(percent)
}

/// A change of a counter that changes nothing yet.
fn delta(name: &str, window: UsageWindow, start: Instant) -> UsageDelta {
    UsageDelta { name: name.to_owned(), window, start, add: 0, told_percent: 0, held: 0, limit: None }
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

    fn limited(day: u64, is_shared: bool) -> Quotas {
        let row = QuotaRow { name: "sms".into(), day: Some(day), month: None };
        Quotas::load(vec![row], Vec::new(), is_shared, Instant::from_ms(0))
    }

    fn quotas(day: u64) -> Quotas {
        limited(day, false)
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
        quotas.count(SMS, 1, false, now);
        assert!(quotas.used_up(SMS, now, 0).is_some());
        assert!(quotas.used_up(SMS, at("2026-02-01T00:00:00Z"), 0).is_none());
    }

    #[test]
    fn a_threshold_is_told_once_a_window_by_a_change_that_is_written() {
        let (mut quotas, now) = (quotas(10), at("2026-01-31T12:00:00Z"));
        let mut told = Vec::new();
        for _ in 0..12 {
            let (deltas, crossed) = quotas.count(SMS, 1, false, now);
            assert_eq!(deltas[0].told_percent > 0, !crossed.is_empty(), "told with its event alone");
            told.extend(crossed.into_iter().map(|crossed| (crossed.used, crossed.percent)));
        }
        assert_eq!(told, [(8, 80), (10, 100)]);
        let mut lost = super::tests::quotas(1);
        for _ in 0..2 {
            let (deltas, crossed) = lost.count(SMS, 1, false, now);
            assert_eq!(crossed.iter().map(|crossed| crossed.percent).collect::<Vec<_>>(), [80, 100]);
            assert_eq!(deltas[0].told_percent, 100);
            lost.uncount(&deltas, &crossed);
        }
        let (kept, _) = lost.count(SMS, 1, false, now);
        let (more, crossed) = lost.count(SMS, 1, false, now);
        assert_eq!((kept[0].told_percent, more[0].told_percent, crossed), (100, 0, vec![]));
        lost.uncount(&more, &[]);
        assert_eq!(lost.count(SMS, 1, false, now).1, [], "another's telling stands");
    }

    fn usage(used: u64, held: u64, told_percent: u8) -> Vec<UsageRow> {
        let (window, start) = (UsageWindow::Day, at("2026-01-31T00:00:00Z"));
        vec![UsageRow { name: "sms".into(), window, start, used, told_percent, held }]
    }

    #[test]
    fn on_a_shared_store_the_rows_count_and_memory_looks_again_before_it_refuses() {
        let (mut quotas, now) = (limited(10, true), at("2026-01-31T12:00:00Z"));
        let real = |ms| Instant::from_ms(ms);
        let taken = quotas.hold(SMS, now);
        let shown: Vec<_> = taken.iter().map(|delta| (delta.held, delta.limit, delta.add)).collect();
        assert_eq!(shown, [(1, Some(10), 0), (0, None, 0)], "a place is named once");
        assert!(!quotas.is_unsure(SMS, 1, now, real(999)) && quotas.is_unsure(SMS, 1, now, real(1_000)));
        quotas.view(usage(7, 2, 0), real(1_000), 0);
        assert!(quotas.used_up(SMS, now, 0).is_none() && quotas.used_up(SMS, now, 1).is_some());
        assert!(!quotas.is_unsure(SMS, 1, now, real(1_099)) && quotas.is_unsure(SMS, 1, now, real(1_100)));
        assert!(!quotas.is_unsure(SMS, 0, now, real(1_100)), "a place is left");
        // A place that is being given back is free here, whether the rows say so already or not.
        quotas.release(SMS);
        let given = quotas.give_back(SMS, now);
        assert_eq!((given.held, given.add, given.limit), (-1, 0, None));
        quotas.view(usage(7, 2, 0), real(2_000), 0);
        assert!(quotas.used_up(SMS, now, 1).is_none());
        quotas.settled(&[given]);
        quotas.view(usage(7, 2, 0), real(2_000), 0);
        assert!(quotas.used_up(SMS, now, 1).is_some());
        // An open quota asks nobody.
        let open = QuotaName::Channel(crate::model::Channel::Email);
        assert!(quotas.hold(open, now).is_empty() && !quotas.is_unsure(open, 1, now, real(99_000)));
    }

    #[test]
    fn on_a_shared_store_thresholds_are_told_from_the_rows() {
        let (mut quotas, now) = (limited(10, true), at("2026-01-31T12:00:00Z"));
        assert_eq!(quotas.count(SMS, 9, false, now).1, [], "others count too");
        let told = |quotas: &Quotas| {
            let untold = quotas.untold(now);
            untold.into_iter().map(|(delta, crossed)| (delta.told_percent, crossed.used)).collect::<Vec<_>>()
        };
        quotas.view(usage(10, 0, 0), now, 0);
        assert_eq!(told(&quotas), [(80, 10), (100, 10)]);
        quotas.view(usage(10, 0, 80), now, quotas.moves());
        assert_eq!(told(&quotas), [(100, 10)]);
        assert_eq!(quotas.look_at(), None, "nothing was counted since");
        let (deltas, _) = quotas.count(SMS, 1, true, now);
        quotas.settled(&deltas);
        assert_eq!(quotas.look_at(), Some(now.plus(Span::from_s(1))));
    }
}
