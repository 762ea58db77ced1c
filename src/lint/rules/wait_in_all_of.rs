use crate::lint::Context;

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
            found(Finding::new(place.at.clone(), message, "put the wait before or behind the group"));
        }
    }
}
