use crate::lint::Context;
use crate::lint::analysis::{Shows, header_of, modifier_of, shortest};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Where nothing is heard of the stages before it, a stage would start when the message has expired.
    ///
    /// In `expires after 5m`, `sms then voice after 10m`, the voice comes where the sms fails, and never
    /// where it stays silent, which `after` is for. The times of several stages add up: each `after` counts
    /// from the start of the stage before it. A one-time password whose last stage comes after its expiry is
    /// the usual case.
    ///
    /// Write shorter times, or let the message live longer.
    StartsAfterExpiry, "starts-after-expiry", Warning, check;
    true => "policy p { expires after 5m sms then voice after 10m }",
    true => "policy otp { expires after 5m sms then whatsapp after 3m then voice after 3m }",
    true => "policy p { expires after 10m sms then voice after 10m }",
    true => "policy p { expires after 6m push until read then sms after 30m then voice after 1h }",
    false => "policy p { expires after 10m sms then voice after 5m }",
    false => "policy p { expires after 5m push if contact has push then sms after 10m }",
    false => "policy p { expires after 1h sms then wait 2h then voice }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(expires) = context.policy.headers.expires else { return };
    let places = context.analysis.places();
    let late = |id: Option<usize>| {
        let silent = id.and_then(|id| places.get(id)).and_then(|place| place.silent);
        silent.is_some_and(|silent| silent >= expires.ms())
    };
    // Where all of several stages come too late, it is the expiry that is not what was meant.
    let waits = places.iter().filter(|place| place.stage.after.is_some() && place.silent.is_some());
    let is_short = expires < Span::from_s(60);
    // One whose own time is longer than all the others may have together is the slip itself.
    let too_long =
        places.iter().filter(|place| place.stage.after.is_some_and(|after| after >= expires)).count();
    let is_all = waits.count() > 1 && too_long != 1;
    let of_expiry = context.analysis.expires_before_all() && (is_all || is_short);
    for place in places.iter().filter(|place| late(Some(place.id))) {
        let never = place.earliest >= expires.ms();
        // A time that is surely a slip is told as one.
        let is_huge = place.stage.after.is_some_and(|after| after > Span::from_s(30 * 86_400));
        if is_huge || never || place.wait().is_some() || late(place.before) || late(place.parent) {
            continue;
        }
        let (name, silent) = (place.name(), Span::from_ms(place.silent.unwrap_or_default()));
        let message = format!(
            "where nothing is heard of the stages before, `{name}` would start at `{silent}`, and the message expires after `{expires}`"
        );
        let last = places.iter().filter_map(|place| place.silent).max().map(Span::from_ms);
        let help = match last.filter(|_| of_expiry) {
            Some(last) => {
                format!("write `expires after` more than `{last}`, or shorter times for all stages")
            }
            None => "write a shorter `after`, or a longer `expires after`".to_owned(),
        };
        let at = if of_expiry {
            header_of(context, "expires")
        } else if place.stage.after.is_some() {
            modifier_of(context.source, place, "after")
        } else {
            place.at.clone()
        };
        found(Finding::new(at, message, help).shown(shortest(context, Shows::Expires(place.id))));
    }
}
