//! Which stages are never sent, whatever providers say and whatever the facts are.

use std::collections::BTreeSet;

use crate::language::condition::{Comparison, Expr, Operand};
use crate::machine::explore::{FactSpace, Go, Seen, Visitor, Walk};
use crate::machine::{Moved, Timeline, Was};
use crate::model::Channel;

use super::trial::where_all_say;
use super::{Analysis, Place};

/// States that are looked at.
const STATES_MAX: usize = 20_000;

impl Analysis<'_> {
    /// The channel stages that no run sends, those whose guards need more than a look at each of them.
    pub(in crate::lint) fn never_sent(&self) -> Vec<&Place<'_>> {
        let mut left: BTreeSet<usize> =
            self.places().iter().filter(|place| self.wants_a_walk(place)).map(|place| place.id).collect();
        if !left.is_empty() {
            self.leave_out_what_starts(&mut left);
        }
        if left.is_empty() {
            return Vec::new();
        }
        let (machine, catalog) = (self.machine(), self.catalog());
        let space = FactSpace::of(machine, catalog);
        let mut look = Look { left };
        let walked = Walk::over(machine, catalog, &space).states_max(STATES_MAX).run(&mut look);
        let whole = walked.complete && space.gaps().is_empty();
        look.left.into_iter().filter(|_| whole).filter_map(|id| self.places().get(id)).collect()
    }

    /// Whether what is known of each of its guards alone may not be all.
    fn wants_a_walk(&self, place: &Place<'_>) -> bool {
        let guarded: Vec<&Place<'_>> = self.around(place.id).filter(|around| around.is_guarded()).collect();
        let guards = || guarded.iter().flat_map(|around| Analysis::guards(around));
        let asks = guards().any(|(guard, wanted)| !is_so_mostly(&guard.expr, wanted));
        let may_exclude = guarded.len() > 1 && guards().any(|(guard, _)| guard.expr.compares());
        place.channel().is_some() && (asks || may_exclude)
    }

    /// Leaves out the stages that an ordinary run sends, of channels that stand once: all are silent, or all fail.
    fn leave_out_what_starts(&self, left: &mut BTreeSet<usize>) {
        let channels: Vec<Channel> = self.places().iter().filter_map(Place::channel_word).collect();
        let stands_once = |own: Channel| channels.iter().filter(|channel| **channel == own).count() == 1;
        let sent = |runs: &[Option<&Timeline>]| -> BTreeSet<Channel> {
            let entries = runs.iter().flatten().flat_map(|run| &run.timeline);
            let sends = entries.filter(|entry| entry.what == "send");
            sends.map(|entry| entry.channel).filter(|channel| stands_once(*channel)).collect()
        };
        let own = |id: &usize| self.places().get(*id).and_then(Place::channel_word);
        let failing = where_all_say(self, "recipient fault", None);
        let of_all = sent(&[self.silent_run(), failing.as_ref()]);
        left.retain(|id| !own(id).is_some_and(|own| of_all.contains(&own)));
        // Where their guards exclude one another, each by its own.
        left.retain(|id| {
            let [silent, failing] =
                ["accepted", "recipient fault"].map(|answer| where_all_say(self, answer, Some(*id)));
            !own(id).is_some_and(|own| sent(&[silent.as_ref(), failing.as_ref()]).contains(&own))
        });
    }
}

/// Whether a condition is so in an ordinary run, whatever else is so: nothing is used up, there are addresses, nobody
/// has confirmed anything. What is compared with a literal is looked at for itself; what a run changes, and names with
/// each other, is not.
fn is_so_mostly(condition: &Expr, wanted: bool) -> bool {
    let is_running = |operand: &Operand| matches!(operand, Operand::Elapsed | Operand::Sends | Operand::Cost);
    let is_name = |operand: &Operand| !matches!(operand, Operand::Literal(_));
    match condition {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().all(|part| is_so_mostly(part, wanted)),
        Expr::Not(part) => is_so_mostly(part, !wanted),
        Expr::Word(_) => !wanted,
        Expr::HasAddress(_) => wanted,
        Expr::Compare(Comparison { left, right, .. }) => {
            !(is_running(left) || is_running(right) || is_name(left) && is_name(right))
        }
    }
}

struct Look {
    left: BTreeSet<usize>,
}

impl Visitor for Look {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        for transition in seen.transitions.iter().filter(|one| one.event == Was::Called) {
            if let Moved::Stage { stage, .. } = transition.moved {
                self.left.remove(&usize::from(stage.0));
            }
        }
        if self.left.is_empty() { Go::Stop } else { Go::On(0) }
    }
}
