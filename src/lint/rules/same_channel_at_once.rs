use crate::lint::Context;
use crate::lint::analysis::{Place, Shows, shortest};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Two members of a group send on the same channel at once.
    ///
    /// The person gets the message twice. `any of (sms via a, sms via b)` sends two sms, not one by whichever is
    /// ready: that is `sms via a or b`.
    ///
    /// Leave one of them out. Where their conditions exclude each other, all is well.
    SameChannelAtOnce, "same-channel-at-once", Warning, check;
    true => "any of (sms, sms)",
    true => "any of (sms via a, sms via b)",
    true => "all of (email, sms, any of (push, sms))",
    true => "all of (sms if vars.x > 5, sms if vars.x > 10)",
    true => "policy a { any of (use b, push, use b) } policy b { sms then email }",
    true => "policy a { any of (sms, use b) } policy b { sms then email }",
    false => "any of (sms if vars.vip, sms unless vars.vip)",
    false => "any of (push, sms after 20m)",
    false => "any of (sms via a, sms via b after 5m)",
    false => "any of (sms, email then sms after 1h)",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let analysis = context.analysis;
    let places = analysis.places();
    let at_once = |place: &&Place<'_>| place.channel().is_some() && place.parent.is_some();
    let at_once: Vec<&Place<'_>> = places.iter().filter(at_once).collect();
    for (n, second) in at_once.iter().enumerate() {
        let first = at_once[..n].iter().find(|first| {
            // What is doubled within one `use` is told in the policy that it names.
            (!second.used || first.at != second.at)
                && first.channel_word() == second.channel_word()
                && analysis.start_together(first.id, second.id)
                && analysis.both_may_start(first.id, second.id)
        });
        let Some(first) = first else { continue };
        let name = second.name();
        let message = format!("two members of the group send `{name}` at once: the person gets it twice");
        let help = format!(
            "leave one out, or write the channel that is meant; for a second provider where the first fails, write `{name} via a or b`"
        );
        found(
            Finding::new(second.at.clone(), message, help)
                .shown(shortest(context, Shows::Together(first.id, second.id))),
        );
    }
}
