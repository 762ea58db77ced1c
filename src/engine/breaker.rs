//! The breaker of one provider: what its results make of it, at instants that are handed in.
//!
//! Opens after some failures in a row, or when at least half of enough results in a minute failed;
//! lets a probe pass after a while, longer each time the probe fails; closes after some successes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::shapes::{Breaker as Shown, BreakerState};
use crate::model::{Instant, Span};

/// The figures; all by setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures_max: u32,
    /// Results within [`Self::window`] from which the share of failures counts.
    pub window_results_min: u32,
    /// The share of failures within the window that opens it, in percent.
    pub window_failures_percent: u32,
    /// The window.
    pub window: Span,
    /// How long it stays open the first time.
    pub open_for: Span,
    /// What that doubles to.
    pub open_for_max: Span,
    /// Successes while half open that close it.
    pub successes_to_close: u32,
}

impl Default for BreakerSettings {
    fn default() -> BreakerSettings {
        BreakerSettings {
            failures_max: 5,
            window_results_min: 20,
            window_failures_percent: 50,
            window: Span::from_s(60),
            open_for: Span::from_s(30),
            open_for_max: Span::from_s(600),
            successes_to_close: 3,
        }
    }
}

/// What a result changed that is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switched {
    /// It opened from closed.
    Opened,
    /// It closed.
    Closed,
    /// It was closed by hand.
    Reset,
}

/// A breaker. The results of the last minute are not kept over a restart, the rest is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Breaker {
    #[serde(default)]
    failures: u32,
    /// Since when it is open or half open.
    #[serde(default)]
    opened_at_ms: Option<i64>,
    /// From when on a probe may pass.
    #[serde(default)]
    until_ms: Option<i64>,
    /// How often it opened without closing.
    #[serde(default)]
    times: u32,
    /// Successes while half open.
    #[serde(default)]
    successes: u32,
    /// A probe is under way.
    #[serde(skip)]
    probing: bool,
    #[serde(skip)]
    recent: VecDeque<(i64, bool)>,
}

impl Breaker {
    /// Its state at an instant.
    #[must_use]
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match (self.opened_at_ms, self.until_ms) {
            (None, _) => BreakerState::Closed,
            (Some(_), Some(until)) if now.ms() < until => BreakerState::Open,
            (Some(_), _) => BreakerState::HalfOpen,
        }
    }

    /// Whether it lets an attempt pass now; half open, one at a time.
    #[must_use]
    pub(super) fn passes(&self, now: Instant) -> bool {
        match self.state(now) {
            BreakerState::Closed => true,
            BreakerState::Open => false,
            BreakerState::HalfOpen => !self.probing,
        }
    }

    /// An attempt passes; whether it is a probe.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let probe = self.state(now) == BreakerState::HalfOpen;
        self.probing |= probe;
        probe
    }

    /// A probe came to no result that counts.
    pub(super) fn release(&mut self) {
        self.probing = false;
    }

    /// Takes a result in; what it changed that is told.
    pub(super) fn result(&mut self, ok: bool, now: Instant, settings: &BreakerSettings) -> Option<Switched> {
        match self.state(now) {
            BreakerState::Closed => self.closed_result(ok, now, settings),
            // From before it opened: it changes nothing any more.
            BreakerState::Open => None,
            BreakerState::HalfOpen if ok => {
                self.probing = false;
                self.successes += 1;
                if self.successes < settings.successes_to_close {
                    return None;
                }
                *self = Breaker::default();
                Some(Switched::Closed)
            }
            BreakerState::HalfOpen => {
                self.probing = false;
                self.failures += 1;
                self.open(now, settings);
                None
            }
        }
    }

    fn closed_result(&mut self, ok: bool, now: Instant, settings: &BreakerSettings) -> Option<Switched> {
        let since = now.ms() - settings.window.ms();
        while self.recent.front().is_some_and(|(at, _)| *at <= since) {
            self.recent.pop_front();
        }
        self.recent.push_back((now.ms(), ok));
        // A minute of a busy provider: the oldest of very many say nothing that the others do not.
        if self.recent.len() > RECENT_MAX {
            self.recent.pop_front();
        }
        self.failures = if ok { 0 } else { self.failures + 1 };
        let all = self.recent.len();
        let failed = self.recent.iter().filter(|(_, ok)| !ok).count();
        let many = all >= usize::try_from(settings.window_results_min).unwrap_or(usize::MAX)
            && failed * 100 >= all * usize::try_from(settings.window_failures_percent).unwrap_or(100);
        if ok || !(self.failures >= settings.failures_max || many) {
            return None;
        }
        self.open(now, settings);
        Some(Switched::Opened)
    }

    fn open(&mut self, now: Instant, settings: &BreakerSettings) {
        let doubled = settings.open_for.ms().saturating_mul(1_i64 << self.times.min(30));
        let span = Span::from_ms(doubled.min(settings.open_for_max.ms()));
        self.opened_at_ms.get_or_insert(now.ms());
        self.until_ms = Some(now.plus(span).ms());
        self.times += 1;
        self.successes = 0;
        self.recent.clear();
    }

    /// Whether it is open or half open, in whichever of the two states.
    pub(super) const fn is_open(&self) -> bool {
        self.opened_at_ms.is_some()
    }

    /// As another node has written it, where this one has nothing of its own that is not written. What
    /// is counted while it is closed is each node's own.
    pub(super) fn follow(&mut self, other: Breaker) {
        if self.is_open() || other.is_open() {
            let probing = self.probing && other.is_open();
            *self = Breaker { probing, ..other };
        }
    }

    /// The same where this one has: what is more open wins, and the later end.
    pub(super) fn merge(&mut self, other: Breaker) {
        match (self.opened_at_ms, other.opened_at_ms) {
            (_, None) => {}
            (None, Some(_)) => self.follow(other),
            (Some(mine), Some(others)) => {
                self.opened_at_ms = Some(mine.min(others));
                self.until_ms = self.until_ms.max(other.until_ms);
                self.times = self.times.max(other.times);
                self.failures = self.failures.max(other.failures);
                self.successes = self.successes.min(other.successes);
            }
        }
    }

    /// Whether a probe is under way.
    pub(super) const fn is_probing(&self) -> bool {
        self.probing
    }

    /// Closes it by hand; whether it was not closed.
    pub(super) fn reset(&mut self) -> bool {
        let was_open = self.opened_at_ms.is_some();
        *self = Breaker::default();
        was_open
    }

    /// As callers see it.
    #[must_use]
    pub(super) fn shown(&self, provider: &str, now: Instant) -> Shown {
        Shown {
            provider: provider.to_owned(),
            state: self.state(now),
            failures: self.failures,
            opened_at: self.opened_at_ms.map(Instant::from_ms),
            until: self.until_ms.map(Instant::from_ms),
        }
    }
}

/// How many results of the last minute are held.
const RECENT_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> BreakerSettings {
        BreakerSettings::default()
    }

    fn at(s: i64) -> Instant {
        Instant::from_ms(1_000_000 + s * 1_000)
    }

    #[test]
    fn five_failures_in_a_row_open_it_once() {
        let mut breaker = Breaker::default();
        for s in 0..4 {
            assert_eq!(breaker.result(false, at(s), &settings()), None);
        }
        assert_eq!(breaker.result(true, at(4), &settings()), None);
        for s in 5..9 {
            assert_eq!(breaker.result(false, at(s), &settings()), None);
        }
        assert_eq!(breaker.result(false, at(9), &settings()), Some(Switched::Opened));
        assert_eq!(breaker.result(false, at(9), &settings()), None);
        assert!(!breaker.passes(at(38)));
        assert!(breaker.passes(at(39)));
    }

    #[test]
    fn half_of_twenty_results_in_a_minute_open_it() {
        let mut breaker = Breaker::default();
        for n in 0..19 {
            assert_eq!(breaker.result(n % 2 == 0, at(n), &settings()), None);
        }
        assert_eq!(breaker.result(false, at(19), &settings()), Some(Switched::Opened));
        let mut slow = Breaker::default();
        for n in 0..40 {
            assert_eq!(
                slow.result(n % 2 == 0, at(n * 4), &settings()),
                None,
                "results older than a minute count"
            );
        }
    }

    #[test]
    fn of_two_nodes_what_is_more_open_wins_and_counts_while_closed_are_each_its_own() {
        let opened = |s: i64| {
            let mut breaker = Breaker::default();
            (0..5).for_each(|_| _ = breaker.result(false, at(s), &settings()));
            breaker
        };
        let four = || {
            let mut breaker = Breaker::default();
            (0..4).for_each(|_| _ = breaker.result(false, at(0), &settings()));
            breaker
        };
        let mut mine = four();
        mine.follow(Breaker::default());
        assert_eq!(mine, four());
        mine.follow(opened(1));
        assert_eq!(mine, opened(1));
        mine.follow(Breaker::default());
        assert_eq!(mine, Breaker::default(), "closed by another");
        for (mut mine, other, expected) in [
            (opened(1), Breaker::default(), opened(1)),
            (Breaker::default(), opened(1), opened(1)),
            (opened(3), opened(1), Breaker { until_ms: opened(3).until_ms, ..opened(1) }),
        ] {
            mine.merge(other);
            assert_eq!(mine, expected);
        }
    }

    #[test]
    fn a_failed_probe_doubles_the_time_and_three_successes_close_it() {
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| _ = breaker.result(false, at(0), &settings()));
        let mut now = 30;
        for open_for in [60, 120, 240, 480, 600, 600] {
            assert!(breaker.begin(at(now)), "a probe");
            assert!(!breaker.passes(at(now)), "one at a time");
            assert_eq!(breaker.result(false, at(now), &settings()), None);
            assert_eq!(breaker.shown("a", at(now)).until, Some(at(now + open_for)));
            now += open_for;
        }
        for expected in [None, None, Some(Switched::Closed)] {
            assert!(breaker.begin(at(now)));
            assert_eq!(breaker.result(true, at(now), &settings()), expected);
        }
        assert_eq!(breaker.state(at(now)), BreakerState::Closed);
        let kept = serde_json::to_string(&breaker).unwrap();
        assert_eq!(serde_json::from_str::<Breaker>(&kept).unwrap(), breaker);
    }
}
