use crate::lint::Context;
use crate::lint::analysis::{Week, before_blanks, modifier_of};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A window holds nothing back that the quiet hours do not hold already.
    ///
    /// In a policy that is quiet from 21:00 to 08:00, `between 08:00 and 21:00` says the same once more. When
    /// one of the two is changed, the other is easily forgotten.
    ///
    /// Leave the window out, or make it narrower.
    WindowWithoutEffect, "window-without-effect", Note, check;
    true => "policy p { quiet 21:00 to 08:00 in UTC sms between 08:00 and 21:00 in UTC }",
    true => "policy p { quiet 21:00 to 08:00 in UTC sms between 07:00 and 22:00 in UTC }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms between 09:00 and 18:00 in UTC }",
    false => "policy p { quiet 21:00 to 08:00 in UTC unless priority is urgent sms between 08:00 and 21:00 in UTC }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms between 08:00 and 21:00 in Asia/Tokyo }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = context.policy.headers.quiet.as_ref().filter(|quiet| quiet.unless.is_none()) else {
        return;
    };
    for place in context.analysis.places().iter().filter(|place| !place.used && place.channel().is_some()) {
        let Some(window) = place.stage.between.as_ref().filter(|window| window.zone == quiet.window.zone)
        else {
            continue;
        };
        let open = Week::whole().without(&Week::of(&quiet.window));
        if !open.is_empty() && open.without(&Week::of(window)).is_empty() {
            let at = modifier_of(context.source, place, "between");
            let message = "the quiet hours hold all back that this window holds back";
            let finding = Finding::new(at.clone(), message, "leave the window out, or make it narrower");
            found(finding.fixed(before_blanks(context.source, &at), ""));
        }
    }
}
