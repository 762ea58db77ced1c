use crate::lint::Context;
use crate::lint::analysis::{Trial, header_of, instant_of};
use crate::model::{Days, Window};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The quiet hours hold messages by day and let them through at night.
    ///
    /// `quiet 08:00 to 21:00` names the hours in which nothing is sent. Mostly it was written as the hours in
    /// which something is.
    ///
    /// Turn the times around: `quiet 21:00 to 08:00`.
    QuietByDay, "quiet-by-day", Warning, check;
    true => "policy p { quiet 08:00 to 21:00 in UTC sms }",
    true => "policy p { quiet 07:00 to 22:00 in contact.timezone else UTC unless priority is urgent sms }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms }",
    false => "policy p { quiet 12:00 to 14:00 in UTC sms }",
    false => "policy p { quiet 00:00 to 23:59 on sun in UTC sms }",
    false => "policy p { quiet 08:00 to 20:00 on weekends in UTC sms }",
}

/// On a Monday.
const NOON: usize = 720;

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = &context.policy.headers.quiet else { return };
    let window = &quiet.window;
    if !is_day(window) || window.days != Days::ALL {
        return;
    }
    let message =
        format!("nothing is sent from `{}` to `{}`, and at night everything is", window.from, window.to);
    let help = format!(
        "quiet hours are those in which nothing is sent; was `quiet {} to {}` meant?",
        window.to, window.from
    );
    let noon = instant_of(NOON, &window.zone);
    let run =
        Trial::silent(context).and_then(|trial| trial.accepted_at(noon).shows(&|run| run.is_held_by_quiet()));
    found(Finding::new(header_of(context, "quiet"), message, help).shown(run));
}

/// Whether a window lasts eight hours at least, holds noon, and not three in the morning.
fn is_day(window: &Window) -> bool {
    let (from, to) = (window.from.minutes(), window.to.minutes());
    from < to && from <= 720 && to > 720 && from > 180 && to - from >= 480
}
