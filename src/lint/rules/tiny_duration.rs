use crate::language::policy::{TextRange, Wait};
use crate::lint::Context;
use crate::lint::analysis::{header_of, modifier_of};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A duration is so short that it is surely a typing error.
    ///
    /// `after 30ms` is over before any provider has answered; `expires after 3s` before any phone has rung.
    /// Mostly another unit was meant: `30m` for minutes, `30s` for seconds.
    ///
    /// `after`, `wait` and `repeat` of less than a second, and `expires` and `valid` of less than five, are
    /// told.
    TinyDuration, "tiny-duration", Warning, check;
    true => "sms then voice after 30ms",
    true => "policy p { expires after 2s sms }",
    true => "sms then wait 5ms then email",
    true => "sms valid 10ms",
    true => "voice until replied repeat 3 times every 5ms",
    false => "sms then voice after 1s",
    false => "policy p { expires after 5s sms }",
    false => "sms retry 3 times backoff 500ms to 2s",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    // The place is looked for only where something is told.
    let mut tell = |at: &dyn Fn() -> TextRange, word: &str, span: Span, least: Span| {
        if span < least {
            let longer = span.to_string();
            let number = longer.trim_end_matches(|c: char| c.is_ascii_alphabetic()).to_owned();
            let number = if longer.ends_with("ms") { number } else { (span.ms() / 1_000).to_string() };
            let message = format!("`{word} {span}` is over at once");
            found(Finding::new(at(), message, format!("was `{number}s` or `{number}m` meant?")));
        }
    };
    let (second, five) = (Span::from_s(1), Span::from_s(5));
    let headers = &context.policy.headers;
    if let Some(expires) = headers.expires {
        tell(&|| header_of(context, "expires"), "expires after", expires, five);
    }
    for place in context.analysis.places().iter().filter(|place| !place.used) {
        if let Some(after) = place.stage.after {
            tell(&|| modifier_of(context.source, place, "after"), "after", after, second);
        }
        if let Some(Wait::For(span)) = place.wait() {
            tell(&|| place.at.clone(), "wait", *span, second);
        }
        let Some(channel) = place.channel() else { continue };
        if let Some(repeat) = channel.repeat {
            tell(&|| modifier_of(context.source, place, "repeat"), "every", repeat.every, second);
        }
        if let Some(valid) = channel.valid {
            tell(&|| modifier_of(context.source, place, "valid"), "valid", valid, five);
        }
    }
}
