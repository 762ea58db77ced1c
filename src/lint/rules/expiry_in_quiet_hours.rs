use crate::lint::Context;
use crate::lint::analysis::{Shows, Week, header_of, instant_of, lasting, moment, sought};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A message that is accepted as the quiet hours begin expires before they end.
    ///
    /// With `quiet 21:00 to 08:00` and `expires after 2h` nothing that is accepted between nine in the
    /// evening and six in the morning is ever sent, and nobody hears of it.
    ///
    /// Let the message live until the morning, `expires after 12h`, or say for whom the quiet hours do not
    /// count: `unless priority is urgent`.
    ExpiryInQuietHours, "expiry-in-quiet-hours", Warning, check;
    true => "policy p { expires after 2h quiet 21:00 to 08:00 in UTC sms }",
    true => "policy p { expires after 11h quiet 21:00 to 08:00 in contact.timezone else UTC sms }",
    false => "policy p { expires after 12h quiet 21:00 to 08:00 in UTC sms }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms }",
    false => "policy p { expires after 2h quiet 21:00 to 08:00 in UTC unless priority is urgent sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // That is told of the expiry itself.
    if context.analysis.expires_before_all() {
        return;
    }
    let headers = &context.policy.headers;
    let (Some(expires), Some(quiet)) = (headers.expires, &headers.quiet) else { return };
    let open = Week::whole().without(&Week::of(&quiet.window));
    let Some((start, minutes)) = open.longest_gap().filter(|_| quiet.unless.is_none()) else { return };
    if expires > lasting(minutes) {
        return;
    }
    let at = instant_of(start, &quiet.window.zone);
    let Some(run) = sought(context, Shows::Expires(0), at).run() else { return };
    let message = format!(
        "what is accepted on {} expires after `{expires}`, before the quiet hours end, and is never sent",
        moment(start)
    );
    let help = format!("write `expires after` more than `{}`, or shorter quiet hours", lasting(minutes));
    found(Finding::new(header_of(context, "expires"), message, help).shown(run));
}
