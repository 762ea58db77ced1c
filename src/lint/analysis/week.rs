//! The minutes of a week, as windows see them, on one local clock.

use crate::model::Window;

/// Minutes of a day.
pub(in crate::lint) const DAY_MINUTES: usize = 1_440;
const WEEK_MINUTES: usize = 7 * DAY_MINUTES;
const WORDS: usize = WEEK_MINUTES.div_ceil(64);

/// A set of minutes of a week, from Monday 00:00.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::lint) struct Week([u64; WORDS]);

impl Week {
    /// Every minute.
    pub(in crate::lint) fn whole() -> Week {
        let mut week = Week([0; WORDS]);
        week.add(0, WEEK_MINUTES);
        week
    }

    /// The minutes of a window.
    pub(in crate::lint) fn of(window: &Window) -> Week {
        let (from, to) = (usize::from(window.from.minutes()), usize::from(window.to.minutes()));
        let length = if from < to { to - from } else { to + DAY_MINUTES - from };
        let mut week = Week([0; WORDS]);
        for day in (0..7).filter(|day| window.days.has(*day)) {
            let start = day * DAY_MINUTES + from;
            let end = start + length;
            week.add(start, end.min(WEEK_MINUTES));
            // A window over the midnight of Sunday goes on at the week's beginning.
            week.add(0, end.saturating_sub(WEEK_MINUTES));
        }
        week
    }

    fn add(&mut self, from: usize, to: usize) {
        let mut at = from;
        while at < to {
            let (word, bit) = (at / 64, at % 64);
            let bits = (64 - bit).min(to - at);
            let ones = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
            self.0[word] |= ones << bit;
            at += bits;
        }
    }

    /// The minutes of it that are not of `other`.
    pub(in crate::lint) fn without(mut self, other: &Week) -> Week {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine &= !theirs);
        self
    }

    /// How many minutes it has.
    pub(in crate::lint) fn minutes(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether it has none.
    pub(in crate::lint) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Whether the minute is in it.
    pub(in crate::lint) fn has(&self, minute: usize) -> bool {
        let minute = minute % WEEK_MINUTES;
        self.0[minute / 64] & 1 << (minute % 64) != 0
    }

    /// The longest stretch without a minute of it, around the end of the week: its first minute and its
    /// length. `None` where every minute is in it, or none.
    pub(in crate::lint) fn longest_gap(&self) -> Option<(usize, usize)> {
        let first = if self.has(0) { 0 } else { self.run(0, false) };
        if first >= WEEK_MINUTES {
            return None;
        }
        let (mut longest, mut at) = (None::<(usize, usize)>, first);
        while at < first + WEEK_MINUTES {
            // Whole words of one kind are passed at once.
            if self.has(at) {
                at += self.run(at, true);
                continue;
            }
            let length = self.run(at, false);
            if longest.is_none_or(|(_, most)| length > most) {
                longest = Some((at % WEEK_MINUTES, length));
            }
            at += length;
        }
        longest
    }

    /// How many minutes from `at` on are alike.
    fn run(&self, at: usize, inside: bool) -> usize {
        let mut length = 0;
        while length < WEEK_MINUTES {
            let minute = (at + length) % WEEK_MINUTES;
            let (word, bit) = (minute / 64, minute % 64);
            let alike = if inside { self.0[word] } else { !self.0[word] } >> bit;
            let here = (alike.trailing_ones() as usize).min(64 - bit).min(WEEK_MINUTES - minute);
            if here == 0 {
                break;
            }
            length += here;
            if here < (64 - bit).min(WEEK_MINUTES - minute) {
                break;
            }
        }
        length.min(WEEK_MINUTES)
    }
}

/// A minute of the week for people: `Friday 18:00`.
pub(in crate::lint) fn moment(minute: usize) -> String {
    const NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let minute = minute % WEEK_MINUTES;
    let (day, rest) = (minute / DAY_MINUTES, minute % DAY_MINUTES);
    format!("{} {:02}:{:02}", NAMES[day], rest / 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Days, Zone};

    fn window(from: &str, to: &str, days: Days) -> Window {
        let zone = Zone::Named("UTC".into());
        Window { from: from.parse().unwrap(), to: to.parse().unwrap(), days, zone }
    }

    #[test]
    fn a_week_holds_the_minutes_that_its_window_holds() {
        for window in [
            window("21:00", "08:00", Days::ALL),
            window("09:00", "18:00", Days::WEEKDAYS),
            window("22:00", "06:30", Days::none().with(6)),
            window("00:00", "23:59", Days::WEEKENDS),
        ] {
            let week = Week::of(&window);
            for minute in 0..WEEK_MINUTES {
                assert_eq!(week.has(minute), window.holds_minute_of_week(minute), "{window:?} {minute}");
            }
            assert_eq!(week.minutes(), (0..WEEK_MINUTES).filter(|m| week.has(*m)).count());
        }
    }

    #[test]
    fn the_longest_gap_goes_around_the_end_of_the_week() {
        let office = Week::of(&window("09:00", "18:00", Days::WEEKDAYS));
        let (start, length) = office.longest_gap().unwrap();
        assert_eq!((moment(start).as_str(), length), ("Friday 18:00", 63 * 60));
        let night = Week::of(&window("21:00", "08:00", Days::ALL));
        assert_eq!(night.longest_gap().unwrap().1, 13 * 60);
        assert_eq!(Week::whole().without(&night).longest_gap().unwrap().1, 11 * 60);
        assert_eq!(Week::whole().longest_gap(), None);
        assert!(Week::whole().without(&Week::whole()).is_empty());
    }
}
