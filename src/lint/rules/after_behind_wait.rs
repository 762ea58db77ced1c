use crate::language::policy::Wait;
use crate::lint::Context;
use crate::lint::analysis::{Played, leading_to, modifier_of, next_at};
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// A stage behind a `wait` has an `after`: the two times add up.
    ///
    /// In `sms then wait 10m then voice after 5m` the voice comes a quarter of an hour after the sms, for
    /// `after` counts from the end of the wait.
    ///
    /// Write one time: `wait 15m then voice`.
    AfterBehindWait, "after-behind-wait", Note, check;
    true => "sms then wait 10m then voice after 5m",
    true => "sms then wait until 09:00 in UTC then voice after 5m",
    false => "sms then wait 15m then voice",
    false => "sms then voice after 15m",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let wait = place.before.and_then(|id| places.get(id)).and_then(|before| before.wait());
        let (Some(wait), Some(after)) = (wait, place.stage.after) else { continue };
        let name = place.name();
        let before = place.before.and_then(|id| places.get(id));
        let (message, help) = match wait {
            Wait::For(span) => {
                let both = Span::from_ms(span.ms().saturating_add(after.ms()));
                let message = format!(
                    "`after` counts from the end of the wait: `{name}` comes `{both}` after what is before"
                );
                (message, format!("write `wait {both} then {name}`, or leave one of the times out"))
            }
            Wait::Until { .. } => (
                format!("`after` counts from the end of the wait: `{name}` comes `{after}` after it"),
                format!(
                    "write a later time behind `wait until`, if `{after}` more is meant; else leave it out"
                ),
            ),
        };
        let comes_so = |run: &Played<'_>| match (wait, run.sent(place.id)) {
            (_, None) => false,
            (Wait::For(span), Some(sent)) => {
                let began = before.and_then(|wait| run.began(wait));
                began.is_some_and(|began| sent - began == span.ms().saturating_add(after.ms()))
            }
            // The wait is over at the time that it names, and what is left is the `after`.
            (Wait::Until { time, days, zone }, Some(sent)) => {
                let over = run.instant(sent - after.ms());
                next_at(*time, *days, zone, over) == Some(over)
            }
        };
        let run = leading_to(context, place.id, &|trial| trial, &comes_so);
        found(Finding::new(modifier_of(context.source, place, "after"), message, help).shown(run));
    }
}
