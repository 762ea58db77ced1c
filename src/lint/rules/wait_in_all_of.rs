use crate::lint::Context;
use crate::lint::analysis::Trial;
use crate::machine::Was;
use crate::model::Status;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A member of an `all of` ends with a `wait`, so that the group can never be reached by it.
    ///
    /// A wait is not reached, it is over; and once it is over, the member has failed. `all of (email, wait
    /// 10m)` therefore fails always.
    ///
    /// Put the wait before or behind the group.
    WaitInAllOf, "wait-in-all-of", Warning, check;
    true => "all of (email, wait 10m)",
    false => "all of (email, wait 10m then sms)",
    false => "any of (email, wait 10m)",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let group = place.parent.and_then(|id| places.get(id));
        let alone = place.index == 0 && place.next.is_none();
        if alone && place.wait().is_some() && group.is_some_and(|group| group.is_all_of()) {
            let message = "this member sends nothing, so the `all of` around it is never reached";
            // The others are delivered, and the group has failed all the same.
            let next = group.and_then(|group| group.next);
            let run = Trial::silent(context).and_then(|trial| {
                trial.usual().shows(&|run| {
                    let goes_on = next.is_some_and(|next| run.sent(next).is_some());
                    let is_failed = goes_on || run.timeline.end.status == Status::Failed;
                    run.has_any(Was::Delivered) && is_failed
                })
            });
            let help = "put the wait before or behind the group";
            found(Finding::new(place.at.clone(), message, help).shown(run));
        }
    }
}
