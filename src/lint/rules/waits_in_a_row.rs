use crate::language::policy::Wait;
use crate::lint::Context;
use crate::lint::analysis::leading_to;
use crate::model::Span;

use super::{Finding, Found, declare_rule};

declare_rule! {
    /// Two waits stand one behind the other.
    ///
    /// `wait 5m then wait 10m` waits for a quarter of an hour.
    ///
    /// Write one: `wait 15m`.
    WaitsInARow, "waits-in-a-row", Note, check;
    true => "sms then wait 5m then wait 10m then voice",
    false => "sms then wait 5m then wait until 09:00 in UTC then voice",
    false => "sms then wait 15m then voice",
}

fn check(context: &Context<'_>, found: Found<'_>) {
    let places = context.analysis.places();
    for place in places.iter().filter(|place| !place.used) {
        let before = place.before.and_then(|id| places.get(id));
        let Some(before) = before else { continue };
        let (Some(Wait::For(first)), Some(Wait::For(second))) = (before.wait(), place.wait()) else {
            continue;
        };
        let both = Span::from_ms(first.ms().saturating_add(second.ms()));
        let at = before.at.start..place.at.end;
        let message = format!("two waits in a row last `{both}`");
        let run = place.next.and_then(|next| {
            leading_to(context, next, &|trial| trial, &|run| {
                let began = run.began(before);
                run.sent(next).zip(began).is_some_and(|(sent, began)| sent - began == both.ms())
            })
        });
        let finding = Finding::new(at.clone(), message, format!("write `wait {both}`")).shown(run);
        let plain = context.source.get(at.clone()).is_some_and(|text| !text.contains('#'));
        found(if plain { finding.fixed(at, format!("wait {both}")) } else { finding });
    }
}
