use crate::lint::Context;
use crate::lint::analysis::leading_to;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage does at once what the stage before it has just failed to do.
    ///
    /// `sms then sms` tries the same providers again in the instant in which they failed. What the first could not
    /// do, an invalid number, a refused text, the second cannot either.
    ///
    /// To try again after a pause, write `retry 3 times every 1m`; to send again on silence, `repeat`; another
    /// provider comes by `via a or b`.
    SameAgain, "same-again", Warning, check;
    true => "sms then sms",
    true => "sms via a then sms via a then email",
    false => "sms then sms after 1h",
    false => "sms via a then sms via b",
    false => "sms if vars.x then sms unless vars.x",
    false => "sms then email",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let analysis = context.analysis;
    let places = analysis.places();
    for place in places.iter().filter(|place| !place.used && place.stage.after.is_none()) {
        let before = place.before.and_then(|id| places.get(id));
        let Some(before) = before else { continue };
        let (Some(first), Some(second)) = (before.channel(), place.channel()) else { continue };
        let same = first.channel == second.channel && first.route == second.route;
        if same && place.stage.between.is_none() && analysis.both_may_start(before.id, place.id) {
            let name = place.name();
            let message = format!("this tries `{name}` again in the instant in which it has just failed");
            let help = format!(
                "write `{name} retry 3 times every 1m` to try again, or `then {name} after 1h` to send again on silence"
            );
            let word = first.channel;
            let run = leading_to(context, before.id, &|trial| trial.says(word, "recipient fault"), &|run| {
                let (first, second) = (run.sent(before.id), run.sent(place.id));
                first.is_some() && first == second
            });
            found(Finding::new(place.at.clone(), message, help).shown(run));
        }
    }
}
