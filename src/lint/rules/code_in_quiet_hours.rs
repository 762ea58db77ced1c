use crate::lint::Context;
use crate::lint::analysis::{Trial, header_of, is_for_codes, quiet_begins};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Quiet hours hold one-time codes back.
    ///
    /// Whoever asks for a code waits in front of the screen, at night too.
    ///
    /// Leave the quiet hours out of this policy.
    CodeInQuietHours, "code-in-quiet-hours", Warning, check;
    true => "policy p { category otp expires after 12h quiet 21:00 to 08:00 in UTC sms }",
    false => "policy p { category otp expires after 5m sms }",
    false => "policy p { category transactional expires after 12h quiet 21:00 to 08:00 in UTC sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let headers = &context.policy.headers;
    if let Some(quiet) = headers.quiet.as_ref().filter(|_| is_for_codes(headers.category.as_deref())) {
        let message = "codes are held back in the quiet hours, and whoever asked for one is waiting";
        let run = quiet_begins(quiet)
            .and_then(|at| Trial::silent(context)?.accepted_at(at).shows(&|run| run.is_held_by_quiet()));
        let help = "leave the quiet hours out of this policy";
        found(Finding::new(header_of(context, "quiet"), message, help).shown(run));
    }
}
