use crate::lint::Context;
use crate::lint::analysis::{Trial, Week, closing, header_of, lasting};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The quiet hours leave less than an hour a day.
    ///
    /// `quiet 08:00 to 07:30` is quiet for all but half an hour: everything that was accepted in a day goes out
    /// in it.
    ///
    /// Check the two times.
    QuietLeavesLittle, "quiet-leaves-little", Warning, check;
    true => "policy p { quiet 08:00 to 07:30 in UTC sms }",
    false => "policy p { quiet 21:00 to 08:00 in UTC sms }",
    false => "policy p { quiet 00:00 to 23:59 on weekends in UTC sms }",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let Some(quiet) = &context.policy.headers.quiet else { return };
    let hours = Week::whole().without(&Week::of(&quiet.window));
    let open = hours.minutes();
    if open < 7 * 60 {
        let message = format!("the quiet hours leave `{}` a week", lasting(open));
        let help = "check the two times; quiet hours are those in which nothing is sent";
        let run = closing(&hours, &quiet.window.zone)
            .and_then(|at| Trial::silent(context)?.accepted_at(at).shows(&|run| run.is_held_by_quiet()));
        found(Finding::new(header_of(context, "quiet"), message, help).shown(run));
    }
}
