use crate::lint::Context;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// The same stage stands several times, each a while after the one before.
    ///
    /// `sms until replied then sms until replied after 4h` is `sms until replied repeat 1 times every 4h`, in fewer
    /// words and with one place to change.
    WriteRepeat, "write-repeat", Note, check;
    true => "sms until replied then sms until replied after 4h",
    false => "sms then email after 4h",
    false => "sms via a then sms via b after 4h",
    false => "sms then sms after 4h unless quota",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used && !place.is_guarded()) {
        let before = place.before.and_then(|id| places.get(id));
        let (Some(before), Some(after)) = (before, place.stage.after) else { continue };
        let same = before.channel().is_some_and(|first| place.channel() == Some(first))
            && !before.is_guarded()
            && before.stage.between == place.stage.between;
        if same {
            let name = place.name();
            let message = format!("the same `{name}` once more after `{after}`");
            found(Finding::new(
                place.at.clone(),
                message,
                format!("write `{name} … repeat 1 times every {after}`, one stage for all"),
            ));
        }
    }
}
