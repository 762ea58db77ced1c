use crate::lint::Context;
use crate::lint::analysis::{Place, Trial, is_marketing};
use crate::machine::Was;
use crate::model::{Confirmation, Status};

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The policy asks for an answer and does not say what holds where none comes.
    ///
    /// `sms until replied then voice until replied after 15m` ends as `sent` or `delivered` a day later where nobody
    /// answers. That looks like success in every count.
    ///
    /// Write `otherwise fail "nobody answered"`: then it ends as failed, with these words. Of marketing nothing is
    /// said: that nobody reads it is no failure.
    SilentEnd, "silent-end", Note, check;
    true => "sms until replied then voice until replied after 15m",
    true => "whatsapp until read",
    false => "sms until replied otherwise fail \"nobody answered\"",
    false => "push until read then sms after 5m",
    false => "policy p { category marketing email until read then push until read after 1d }",
    false => "sms",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    if context.policy.otherwise.is_some()
        || context.is_used()
        || is_marketing(context.policy.headers.category.as_deref())
    {
        return;
    }
    let asks = |place: &Place<'_>| {
        place.channel().and_then(|channel| channel.until).is_some_and(|goal| goal > Confirmation::Delivered)
    };
    let places = context.analysis.places();
    // One that asks for no answer may be what counts.
    let mut channels = places.iter().filter(|place| place.channel().is_some());
    if !channels.all(asks) {
        return;
    }
    let Some(last) = places.iter().rev().find(|place| place.channel().is_some()) else { return };
    let goal = last.goal.unwrap_or(Confirmation::Read);
    let message = format!("where nothing is ever `{goal}`, the message ends as if all were well");
    let help = "write `otherwise fail \"nobody answered\"` at the end, if that counts as failed";
    let run = Trial::silent(context).and_then(|trial| {
        trial.shows(&|run| {
            let status = run.timeline.end.status;
            matches!(status, Status::Sent | Status::Delivered) && !run.has_any(Was::Reached)
        })
    });
    found(Finding::new(last.at.clone(), message, help).shown(run));
}
