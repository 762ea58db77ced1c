//! What is one change to a reader: differences that say the same of the same stage under other facts or
//! outcomes, or that one clock makes, are told in one entry, with the shortest script of all.

use crate::model::Channel;

use super::compare::{Aspect, Difference};
use super::level::Level;
use super::search::Found;
use super::{Change, Shown, Way};

/// The changes, each with the further ways in which it shows. What was found first leads, since shorter
/// scripts are found first.
pub(super) fn grouped(found: Vec<Found>) -> Vec<Change> {
    let mut groups: Vec<(Difference, Change)> = Vec::new();
    for Found { difference, witness, pair } in found {
        let also = difference.also.iter().map(|also| also.text.as_str()).collect::<Vec<_>>().join("; ");
        let also = (!also.is_empty()).then_some(also);
        let shown = Shown { witness, old: pair.old, new: pair.new };
        let what = difference.what.clone();
        match groups.iter_mut().find(|(head, _)| is_one(head, &difference)) {
            Some((_, change)) => change.more.push(Way { what, also, shown }),
            None => {
                let change = Change { also, shown: Some(shown), ..Change::told(difference.level, what) };
                groups.push((difference, change));
            }
        }
    }
    groups.into_iter().map(|(_, change)| change).collect()
}

/// Whether two differences are one change. Never across levels: what is allowed is asked of each.
fn is_one(head: &Difference, other: &Difference) -> bool {
    if head.level != other.level {
        return false;
    }
    match (head.aspect, other.aspect) {
        (Aspect::Messages, Aspect::Messages) => {
            // The same comes or goes; what comes instead, or goes with it, depends on the outcome.
            let alike = |a: &[Channel], b: &[Channel]| {
                !a.is_empty() && !b.is_empty() && (within(a, b) || within(b, a))
            };
            alike(&head.moved[0], &other.moved[0]) || alike(&head.moved[1], &other.moved[1])
        }
        (Aspect::Providers(channel), Aspect::Providers(of)) => channel == of,
        // Another provider refuses others.
        (Aspect::Providers(channel), Aspect::Messages) => {
            other.level == Level::Routing
                && other.follows
                && other.moved.iter().flatten().all(|c| *c == channel)
        }
        (
            Aspect::Time { channel, was_ms, at_ms },
            Aspect::Time { channel: of, was_ms: other_was_ms, at_ms: other_at_ms },
        ) => {
            // One clock moves all that comes by it.
            let same_way = (at_ms > was_ms) == (other_at_ms > other_was_ms);
            same_way && (channel == of || (was_ms, at_ms) == (other_was_ms, other_at_ms))
        }
        (head, other) => head == other,
    }
}

fn within(few: &[Channel], many: &[Channel]) -> bool {
    few.iter().all(|channel| many.contains(channel))
}
