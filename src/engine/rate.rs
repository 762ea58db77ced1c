//! How many calls a second: of one node alone, or this node's turn among several.

use crate::model::{Instant, Span};
use crate::store::{Part, Peers};

/// A token bucket on real time: one second's worth of tokens. Of several nodes each has its part of it;
/// where there are fewer tokens a second than nodes, they take turns in time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    pub(super) per_second: Option<u32>,
    /// When the bucket is full again, in microseconds since 1970.
    full_at_us: i64,
    /// What the last call took of it.
    cost_us: i64,
    /// The turn that was used last, where nodes take turns.
    used: Option<i64>,
}

/// This node's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It has this part.
    Part(Part),
    /// It takes none before this instant: the others do not know of it yet.
    From(Instant),
}

/// A second.
const SECOND_US: i64 = 1_000_000;
/// When a node that has no lease yet looks again.
const LOOK_AGAIN: Span = Span::from_s(1);

impl Turn {
    /// There are no others.
    pub(super) const ALONE: Turn = Turn::Part(Part::WHOLE);

    /// Among others.
    pub(super) fn among(peers: &Peers, now: Instant) -> Turn {
        match peers.part(now) {
            Some(part) => Turn::Part(part),
            None => Turn::From(peers.takes_part_from(now).unwrap_or_else(|| now.plus(LOOK_AGAIN))),
        }
    }
}

/// How a part is taken.
enum Shape {
    /// A bucket of so many tokens a second.
    Bucket(i64),
    /// One call in each turn: turns of this length, of which each so manieth is this node's, from the
    /// one of this number on.
    Turns { length_us: i64, each: i64, place: i64 },
}

impl Rate {
    fn shape(self, part: Part) -> Option<Shape> {
        let whole = self.per_second?.max(1);
        let own = part.share(whole);
        Some(if whole >= part.of {
            Shape::Bucket(i64::from(own))
        } else {
            let length_us = SECOND_US / i64::from(whole);
            Shape::Turns { length_us, each: i64::from(part.of), place: i64::from(part.place) }
        })
    }

    /// When the next token is there; `None`: now.
    pub(super) fn next(self, now: Instant, turn: Turn) -> Option<Instant> {
        self.per_second?;
        let part = match turn {
            Turn::Part(part) => part,
            Turn::From(at) => return Some(at),
        };
        let now_us = now.ms() * 1_000;
        let free_us = match self.shape(part)? {
            Shape::Bucket(tokens) => self.full_at_us + SECOND_US / tokens - SECOND_US,
            Shape::Turns { length_us, each, place } => {
                let turn = now_us.div_euclid(length_us);
                let to_wait = (place - turn).rem_euclid(each);
                let to_wait = if to_wait == 0 && self.used == Some(turn) { each } else { to_wait };
                if to_wait == 0 { now_us } else { (turn + to_wait) * length_us }
            }
        };
        (free_us > now_us).then(|| Instant::from_ms((free_us + 999) / 1_000))
    }

    pub(super) fn take(&mut self, now: Instant, turn: Turn) {
        let Turn::Part(part) = turn else { return };
        let now_us = now.ms() * 1_000;
        match self.shape(part) {
            None => {}
            Some(Shape::Bucket(tokens)) => {
                self.cost_us = SECOND_US / tokens;
                self.full_at_us = self.full_at_us.max(now_us) + self.cost_us;
            }
            Some(Shape::Turns { length_us, .. }) => {
                self.used = Some(now_us.div_euclid(length_us));
                // So that a bucket that follows, when others leave, is not full.
                self.cost_us = SECOND_US;
                self.full_at_us = self.full_at_us.max(now_us) + self.cost_us;
            }
        }
    }

    pub(super) fn give_back(&mut self) {
        if self.per_second.is_some() {
            self.full_at_us -= self.cost_us;
            self.used = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(per_second: u32) -> Rate {
        Rate { per_second: Some(per_second), ..Rate::default() }
    }

    /// When the calls of one node of several leave, all that may within some seconds.
    fn calls(per_second: u32, part: Part, seconds: i64) -> Vec<i64> {
        let (mut rate, mut now, mut calls) = (rate(per_second), Instant::from_ms(10_000_000), Vec::new());
        let end = now.plus(Span::from_s(seconds));
        while now < end {
            match rate.next(now, Turn::Part(part)) {
                None => {
                    rate.take(now, Turn::Part(part));
                    calls.push(now.ms());
                }
                Some(at) => {
                    assert!(at > now, "it waits for what is over");
                    now = at;
                }
            }
        }
        calls
    }

    #[test]
    fn the_parts_together_are_never_above_the_rate_and_never_far_below() {
        for per_second in [1, 2, 3, 7, 10, 100] {
            for of in 1..=5 {
                let parts = (0..of).map(|place| calls(per_second, Part { place, of }, 60));
                let mut all: Vec<i64> = parts.flatten().collect();
                all.sort_unstable();
                let alone = calls(per_second, Part::WHOLE, 60);
                for (place, at) in all.iter().enumerate() {
                    let within = |ms: &&i64| **ms > at - 1_000 && *ms <= at;
                    let now = all[..=place].iter().filter(within).count();
                    let first = alone.iter().filter(|ms| **ms < alone[0] + 1_000).count();
                    assert!(now <= first, "{now} a second of {per_second} on {of} nodes");
                }
                let (all, alone) = (all.len(), alone.len());
                assert!(all * 10 >= alone * 9, "{all} of {alone} at {per_second} a second on {of} nodes");
            }
        }
    }

    #[test]
    fn a_node_that_has_no_part_yet_waits_for_it() {
        let at = Instant::from_ms(5_000);
        assert_eq!(rate(3).next(Instant::from_ms(1_000), Turn::From(at)), Some(at));
        assert_eq!(Rate::default().next(Instant::from_ms(1_000), Turn::From(at)), None, "nothing is limited");
    }
}
