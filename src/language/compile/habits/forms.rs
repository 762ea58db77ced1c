//! Everyday forms that the checker may stumble over at any of their words, so that they are looked for
//! whatever it says of the first.

use super::text::Around;
use super::{Meant, comparing, days, endings, machines, sending, shares, windows};

/// Findings within times, days and zones.
const OF_WINDOWS: [&str; 9] = [
    "missing-zone",
    "missing-time",
    "bad-time",
    "unknown-day",
    "repeated-part",
    "unknown-word",
    "wrong-joiner",
    "stray-text",
    "unknown-channel",
];
/// Findings within the providers of a stage.
const OF_ROUTES: [&str; 7] =
    ["bad-shares", "bad-route", "bad-name", "unknown-word", "wrong-joiner", "stray-text", "provider-twice"];
/// Findings within conditions.
const OF_CONDITIONS: [&str; 9] = [
    "bad-comparison",
    "unknown-condition",
    "unknown-name",
    "unknown-word",
    "missing-condition",
    "wrong-joiner",
    "stray-text",
    "bad-condition",
    "unknown-priority",
];
/// Findings at the end of a policy.
const OF_ENDINGS: [&str; 7] = [
    "repeated-modifier",
    "unknown-condition",
    "missing-condition",
    "after-otherwise",
    "unknown-word",
    "bad-condition",
    "missing-stage",
];

pub(super) fn meant(around: &Around<'_>, rule: &str) -> Option<Meant> {
    let of = |rules: &[&str]| rules.contains(&rule).then_some(());
    of(&OF_WINDOWS)
        .and_then(|()| {
            let filling = || (rule == "missing-zone").then(|| windows::filling(around)).flatten();
            days::everyday(around, rule).or_else(filling)
        })
        .or_else(|| of(&OF_ROUTES).and_then(|()| shares::everyday(around, rule)))
        .or_else(|| of(&OF_CONDITIONS).and_then(|()| condition(around, rule)))
        .or_else(|| of(&OF_ENDINGS).and_then(|()| endings::nothing(around)))
        .or_else(|| match rule {
            "after-otherwise" => endings::quotes_inside(around).or_else(|| machines::joined_text(around)),
            "outside-policy" => machines::head(around),
            "bad-duration" => machines::duration(around),
            "bad-retry" | "bad-repeat" => machines::again(around),
            "bad-route" | "bad-group" => machines::providers(around),
            "bad-var" => machines::optional(around),
            "bad-limit" => machines::currency_first(around),
            "missing-time" => machines::quiet_between(around),
            "stray-text" => machines::other_zone(around)
                .or_else(|| machines::providers(around))
                .or_else(|| machines::name(around)),
            "types-differ" => machines::name(around),
            "missing-stage" => endings::lifetime(around),
            "unknown-channel" => endings::lifetime(around)
                .or_else(|| machines::head(around))
                .or_else(|| sending::used(around))
                .or_else(|| sending::address(around))
                .or_else(|| sending::stage(around)),
            "unknown-policy" => sending::used(around),
            "unknown-word" => sending::counted(around)
                .or_else(|| sending::later(around))
                .or_else(|| sending::address(around))
                .or_else(|| machines::on_error(around)),
            _ => None,
        })
}

fn condition(around: &Around<'_>, rule: &str) -> Option<Meant> {
    match rule {
        "wrong-joiner" | "stray-text" => comparing::values(around),
        "missing-condition" => machines::name_behind(around).or_else(|| comparing::nothing_before_is(around)),
        "unknown-word" => comparing::exists(around).or_else(|| comparing::operator(around)),
        _ => machines::name(around)
            .or_else(|| machines::any_state(around))
            .or_else(|| machines::between(around))
            .or_else(|| comparing::three_signs(around))
            .or_else(|| comparing::exists(around))
            .or_else(|| comparing::state(around))
            .or_else(|| comparing::or_more(around))
            .or_else(|| comparing::operator(around)),
    }
}
