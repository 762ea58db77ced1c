use crate::language::policy::Action;
use crate::lint::Context;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A group has one member.
    ///
    /// `any of (sms)` does what `sms` does. Mostly a member was forgotten.
    ///
    /// Write the second member, or the stage without the group.
    GroupOfOne, "group-of-one", Note, check;
    true => "any of (sms)",
    true => "all of (sms then voice after 5m) then email",
    false => "any of (sms, email)",
    false => "policy a { use b then email } policy b { sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Action::Group { members, .. } = &place.stage.action else { continue };
        if members.len() == 1 {
            let name = place.name();
            let message = format!("this `{name}` has one member");
            found(Finding::new(place.at.clone(), message, "write the second member, or leave the group out"));
        }
    }
}
