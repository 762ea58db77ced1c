use crate::language::policy::{Action, TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{tail_of, word_in};
use crate::model::Zone;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// `contact.timezone` is used without saying what holds where it is missing.
    ///
    /// A contact without a timezone, or with one that nobody knows, is then treated by the
    /// tenant's default zone, which is UTC unless somebody has set it. Quiet hours of 21:00 to
    /// 08:00 then end in the middle of the night for half of the world.
    ///
    /// Name the zone in which most of your contacts live: `contact.timezone else Europe/Berlin`.
    UnsureZone, "unsure-zone", Note, check;
    true => "sms between 08:00 and 21:00 in contact.timezone",
    true => "whatsapp then wait until 09:00 in contact.timezone then sms",
    true => "policy p { quiet 21:00 to 08:00 in contact.timezone sms }",
    true => "any of (sms, email) between 08:00 and 21:00 in contact.timezone",
    false => "sms between 08:00 and 21:00 in contact.timezone else Europe/Berlin",
    false => "sms between 08:00 and 21:00 in Europe/Berlin",
    false => "sms if contact.timezone is \"UTC\"",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let policy = context.policy;
    let mut tell = |range: TextRange| {
        found(Finding::new(
            word_in(context.source, &range, "contact.timezone"),
            "`contact.timezone` does not say which zone holds where the contact has none",
            "write for example `contact.timezone else Europe/Berlin`; without it the tenant's default zone holds",
        ));
    };
    if policy.headers.quiet.as_ref().is_some_and(|q| is_unsure(&q.window.zone)) {
        let first = policy.strategy.stages.first().map_or(policy.at.end, |s| s.at.start);
        tell(policy.at.start..first);
    }
    for place in context.analysis.places() {
        let stage = place.stage;
        let between = stage.between.as_ref().is_some_and(|w| is_unsure(&w.zone));
        let waits = matches!(&stage.action, Action::Wait(Wait::Until { zone, .. }) if is_unsure(zone));
        // What another policy says is told where that policy is checked.
        if (between || waits) && !place.used {
            tell(tail_of(place));
        }
    }
}

fn is_unsure(zone: &Zone) -> bool {
    matches!(zone, Zone::Contact { otherwise: None })
}
