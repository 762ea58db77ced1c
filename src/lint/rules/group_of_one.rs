use crate::language::policy::Action;
use crate::lint::Context;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A group has one member.
    ///
    /// `any of (sms)` does what `sms` does. Mostly a member was forgotten. Around several stages a group can hold
    /// what is meant for all of them, such as one `if` or `between`.
    ///
    /// Write the second member, or the stage without the group.
    GroupOfOne, "group-of-one", Note, check;
    true => "any of (sms)",
    true => "all of (sms then voice after 5m) then email",
    true => "any of (sms) if vars.x",
    false => "any of (sms then voice after 5m) unless vars.x then email",
    false => "any of (sms, email)",
    false => "policy a { use b then email } policy b { sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        let Action::Group { members, .. } = &place.stage.action else { continue };
        let stage = place.stage;
        let is_modified = place.is_guarded() || stage.between.is_some() || stage.after.is_some();
        let holds_several = is_modified && members.iter().any(|member| member.stages.len() > 1);
        if members.len() == 1 && !holds_several {
            let name = place.name();
            let message = format!("this `{name}` has one member");
            found(Finding::new(place.at.clone(), message, "write the second member, or leave the group out"));
        }
    }
}
