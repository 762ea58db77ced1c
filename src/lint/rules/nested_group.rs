use crate::language::policy::Action;
use crate::lint::Context;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A group stands in a group of its own kind, with nothing that sets it apart.
    ///
    /// `any of (sms, any of (push, email))` is `any of (sms, push, email)`.
    NestedGroup, "nested-group", Note, check;
    true => "any of (sms, any of (push, email))",
    true => "all of (sms, all of (push, email))",
    false => "any of (sms, all of (push, email))",
    false => "any of (sms, any of (push, email) after 5m)",
    false => "any of (sms, any of (push, email) then voice)",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let Action::Group { kind, members } = &place.stage.action else { continue };
        let Some(outer) = place.parent.and_then(|id| places.get(id)) else { continue };
        let Action::Group { kind: around, .. } = &outer.stage.action else { continue };
        let stage = place.stage;
        let plain = !place.is_guarded() && stage.after.is_none() && stage.between.is_none();
        let alone = place.index == 0 && place.next.is_none();
        if kind == around && plain && alone && members.len() > 1 {
            let name = place.name();
            let message = format!("an `{name}` in an `{name}` says nothing more");
            found(Finding::new(place.at.clone(), message, "write its members into the group around it"));
        }
    }
}
