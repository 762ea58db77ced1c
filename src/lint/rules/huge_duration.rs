use crate::language::policy::{TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{header_of, modifier_of};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A duration is so long that it is surely a typing error.
    ///
    /// Nobody waits `after 90d` for the next try to reach a person, and no provider keeps an sms for a year.
    /// Mostly another unit was meant: `90m` for minutes, `90s` for seconds.
    ///
    /// `after`, `wait`, `valid` and `repeat` of more than thirty days, pauses between retries of more than
    /// one, and an `expires` of more than a year are told.
    HugeDuration, "huge-duration", Warning, check;
    true => "sms then voice after 90d",
    true => "policy p { expires after 3000d sms }",
    true => "sms retry 3 times every 5d",
    true => "sms then wait 45d then email",
    false => "sms then voice after 7d",
    false => "policy p { expires after 30d sms }",
    false => "sms retry 3 times every 1h",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let expires = context.policy.headers.expires;
    // The place is looked for only where something is told.
    let mut tell = |at: &dyn Fn() -> TextRange, word: &str, span: Span, most: Span| {
        if span > most {
            let days = span.ms() / 86_400_000;
            let message = format!("`{word} {span}` is more than `{most}`");
            // Of a time within the message's life, what is shorter than that.
            let fits = |unit_s: i64| {
                word == "expires after" || expires.is_none_or(|expires| Span::from_s(days * unit_s) < expires)
            };
            let meant = [('h', 3_600), ('m', 60), ('s', 1)].into_iter().filter(|(_, unit_s)| fits(*unit_s));
            let mut meant: Vec<String> = meant.take(2).map(|(unit, _)| format!("`{days}{unit}`")).collect();
            meant.reverse();
            let help = match meant.is_empty() {
                true => "write a shorter time".to_owned(),
                false => format!("was {} meant?", meant.join(" or ")),
            };
            found(Finding::new(at(), message, help));
        }
    };
    let day = |days: i64| Span::from_s(days * 86_400);
    if let Some(expires) = expires {
        tell(&|| header_of(context, "expires"), "expires after", expires, day(366));
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        if let Some(after) = place.stage.after {
            tell(&|| modifier_of(context.source, place, "after"), "after", after, day(30));
        }
        if let Some(Wait::For(span)) = place.wait() {
            tell(&|| place.at.clone(), "wait", *span, day(30));
        }
        let Some(channel) = place.channel() else { continue };
        if let Some(repeat) = channel.repeat {
            tell(&|| modifier_of(context.source, place, "repeat"), "every", repeat.every, day(30));
        }
        if let Some(valid) = channel.valid {
            tell(&|| modifier_of(context.source, place, "valid"), "valid", valid, day(30));
        }
        tell(&|| modifier_of(context.source, place, "retry"), "retry … every", channel.retry.to, day(1));
    }
}
