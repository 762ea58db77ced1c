//! A policy in plain English, with its bounds and with what happens when nobody says anything.
//!
//! Each sentence says what the language means and no more; words that carry a meaning of their own
//! (reached, failed, skipped, overtaken) are explained once, below the steps.

mod conditions;
mod steps;
mod words;

use std::fmt::Write as _;

use serde::Serialize;

use crate::language::facts_text::GivenFacts;
use crate::language::policy::ValueType;
use crate::language::script::Scripts;
use crate::machine::catalog::{Catalog, HORIZON};
use crate::machine::{Bounds, End, Entry, Machine, Scenario, Timeline, bounds, simulate};
use crate::model::{Confirmation, Instant, Span};

use conditions::About;
pub use steps::Step;
use steps::Steps;
use words::duration;

/// A policy in plain English; in JSON the shape that other tools read.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// Its name.
    pub policy: String,
    /// The most that can happen.
    pub bounds: Bounds,
    /// All of it in words.
    pub text: String,
    /// What happens to an ordinary message when everything is accepted and nothing confirmed.
    pub when_silent: Vec<Entry>,
    /// How that ends.
    pub when_silent_end: End,
}

/// When the message of the silent case is accepted: a Monday at noon.
pub const SILENT_AT: &str = "2026-01-05T12:00:00Z";

/// Explains a machine for the providers of a catalog.
#[must_use]
pub fn explain(machine: &Machine, catalog: &Catalog) -> Explained {
    let bounds = bounds(machine, catalog);
    let silent = silent(machine, catalog);
    let mut text = format!("Policy {}\n", machine.name());
    let mut part = |title: &str, body: &str| {
        if !body.is_empty() {
            _ = write!(text, "\n{title}\n\n{body}");
        }
    };
    let steps = Steps::of(machine, catalog);
    part("For which messages", &headers(machine, &steps));
    part("What happens", &steps.text);
    part("How it ends", &ends(machine, catalog, &steps));
    part("What the words mean", &steps.terms(machine));
    part("At most", &at_most(&bounds, machine));
    part("When everything stays silent", &silence(&silent));
    let Timeline { timeline, end, .. } = silent;
    Explained { policy: machine.name().to_owned(), bounds, text, when_silent: timeline, when_silent_end: end }
}

/// The steps of a machine, each in words by itself, as [`explain`] says them.
#[must_use]
pub fn steps(machine: &Machine, catalog: &Catalog) -> Vec<Step> {
    Steps::of(machine, catalog).steps
}

/// Everything is accepted, and nothing more is heard.
fn silent(machine: &Machine, catalog: &Catalog) -> Timeline {
    let mut channels: Vec<_> = machine.channel_stages().map(|(_, stage)| stage.channel.word()).collect();
    channels.sort_unstable();
    channels.dedup();
    let script = channels.iter().map(|channel| format!("{channel}: accepted")).collect::<Vec<_>>().join("; ");
    let scripts = Scripts::parse(&script).unwrap_or_default();
    let at = SILENT_AT.parse().unwrap_or(Instant::from_ms(0));
    simulate(&Scenario::given(machine, &GivenFacts::default(), catalog.clone(), at), &scripts)
}

fn headers(machine: &Machine, steps: &Steps) -> String {
    let headers = machine.headers();
    let mut lines: Vec<String> = Vec::new();
    if let Some(category) = &headers.category {
        lines.push(format!("It is for messages of the category “{category}”."));
    }
    if let Some(vars) = headers.vars.as_ref().filter(|vars| !vars.is_empty()) {
        let of = |kind| match kind {
            ValueType::String => "a text",
            ValueType::Number => "a number",
            ValueType::Boolean => "true or false",
            ValueType::Duration => "a duration",
            ValueType::Time => "a time of day",
            ValueType::List => "a list",
        };
        let vars: Vec<String> = vars
            .iter()
            .map(|(name, var)| {
                format!("“{name}” ({}{})", of(var.kind), if var.optional { ", may be missing" } else { "" })
            })
            .collect();
        lines.push(format!("Each message brings {}.", words::listed(&vars, "and")));
    }
    if let Some(expires) = headers.expires {
        lines.push(format!(
            "It starts when the request is accepted, or at the time that the request names for it, and expires {} later. \
             From then on nothing starts and nothing is tried again, and the message ends; waiting and being held count \
             against this time.",
            duration(expires)
        ));
    }
    if let Some(quiet) = &headers.quiet {
        let unless = machine.quiet_unless().map(|expr| {
            format!(
                " This does not hold for a step if {} at the moment at which it would start.",
                conditions::said(&expr, About { channel: None, can: &steps.can })
            )
        });
        lines.push(format!(
            "Quiet hours are {}. No step that would start or be tried again then does so before they are over; a wait goes on.{}",
            words::window(&quiet.window),
            unless.unwrap_or_default()
        ));
    }
    let sends =
        headers.limit_sends.map(|n| format!("{n} {} made", if n == 1 { "send is" } else { "sends are" }));
    let cost = headers.limit_cost.map(|cost| format!("{cost} {} spent", "is"));
    let limits: Vec<String> = sends.into_iter().chain(cost).collect();
    if !limits.is_empty() {
        let passed = match headers.limit_cost {
            Some(_) => "A provider whose price would pass the limit is passed over; a step",
            None => "A step",
        };
        let limits = words::listed(&limits, "and at most");
        lines.push(format!("At most {limits}. {passed} for which nothing is left fails."));
    }
    paragraphs(&lines)
}

fn ends(machine: &Machine, catalog: &Catalog, steps: &Steps) -> String {
    let mut lines = vec![format!(
        "As soon as {}, the message is reached and ends: nothing more starts and nothing is tried again.",
        steps.reached
    )];
    let delivered = words::confirmed(Confirmation::Delivered, &steps.can);
    let listed = format!(
        "as “delivered” where something that was sent {delivered}; else as “sent” where something was accepted and has \
         not failed since; else as “failed”, with the reason of every step"
    );
    let horizon = format!(
        "Where it is not reached, it ends once nothing is left that can start, and each step has failed, was skipped, or has \
         been waited for as long as confirmations are ({})",
        horizons(machine, catalog)
    );
    lines.push(match machine.otherwise() {
        Some(why) => format!("{horizon}: as “failed”, with the reason “{why}”."),
        None => format!("{horizon}: {listed}."),
    });
    lines.push(format!(
        "Where it is reached, it ends {}.",
        if machine.otherwise().is_some() { &listed } else { "by the same list" }
    ));
    if machine.headers().expires.is_some() {
        lines.push("Where it expires before that, it ends as “expired” if nothing was accepted or all of it has failed since; else as said above for a message that is not reached.".to_owned());
    }
    lines.push("Whoever asked for it may cancel it until then; it ends as “canceled”. What has been sent stays sent.".to_owned());
    paragraphs(&lines)
}

/// How long confirmations are waited for: by all providers, or by each on each channel.
fn horizons(machine: &Machine, catalog: &Catalog) -> String {
    if catalog.providers.is_none() {
        return "24 hours after acceptance, unless the provider's setting differs".to_owned();
    }
    let routes = machine.channel_stages().map(|(_, stage)| (stage.channel, &stage.route));
    let mut each: Vec<(Span, String)> = Vec::new();
    for (channel, route) in routes {
        for provider in catalog.route(channel, route) {
            let by = format!("{} by {}", words::an(channel), provider.name);
            let one = (Span::from_ms(provider.horizon_ms), by);
            if !each.contains(&one) {
                each.push(one);
            }
        }
    }
    let first = each.first().map_or(HORIZON, |(span, _)| *span);
    if each.iter().all(|(span, _)| *span == first) {
        return format!("{} after acceptance", duration(first));
    }
    let each: Vec<String> = each.iter().map(|(span, by)| format!("{} for {by}", duration(*span))).collect();
    format!("counted from acceptance, {}", words::listed(&each, "and"))
}

fn at_most(bounds: &Bounds, machine: &Machine) -> String {
    let sends = match bounds.sends_max {
        1 => "1 send is made".to_owned(),
        n => format!("{n} sends are made"),
    };
    let last = if bounds.sends_max == 1 { "it" } else { "the last of them" };
    let latest = match bounds.duration_max_ms {
        Some(0) => format!("{last} starts at once"),
        Some(ms) => {
            format!("{last} starts no later than {} after the message does", duration(Span::from_ms(ms)))
        }
        None => format!("nothing bounds when {last} starts"),
    };
    let cost = bounds.cost_max.or(machine.headers().limit_cost);
    let they = if bounds.sends_max == 1 { "it costs" } else { "they cost" };
    let cost = cost.map(|cost| format!(", and {they} no more than {cost}")).unwrap_or_default();
    paragraphs(&[format!(
        "{sends} at most; {latest}{cost}. This holds where providers answer without delay, none asks to be left alone, \
         and retries are not spread at random."
    )])
}

fn silence(silent: &Timeline) -> String {
    let mut out = paragraphs(&["An ordinary message that is accepted on Monday, 5 January 2026, at 12:00 UTC, to a person with an \
                               address on every channel, nothing else being known; each send is accepted, and nothing more is heard:"
        .to_owned()]);
    let times: Vec<String> =
        silent.timeline.iter().map(|entry| Span::from_ms(entry.at_ms).to_string()).collect();
    let end = Span::from_ms(silent.end.at_ms).to_string();
    let width = times.iter().map(String::len).chain([end.len()]).max().unwrap_or_default();
    out.push('\n');
    for (time, entry) in times.iter().zip(&silent.timeline) {
        let what = match entry.what {
            "send" => "is sent",
            "skip" => "is skipped",
            "fail" => "fails",
            "hold" => "is held",
            "retry" => "is tried again",
            "repeat" => "is due again",
            "in_doubt" => "is in doubt",
            other => other,
        };
        let what = if entry.what == "accepted" { "is accepted" } else { what };
        let by = entry.provider.as_ref().filter(|p| *p != entry.channel.word());
        let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
        let why = entry.reason.as_ref().filter(|why| *why != "skipped");
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        _ = writeln!(out, "  {time:>width$}  the {} {what}{by}{why}", words::message(entry.channel));
    }
    let last = silent.end.reasons.iter().rev().find(|reason| reason.channel.is_none());
    let why = last.map(|reason| format!(": “{}”", reason.reason)).unwrap_or_default();
    _ = writeln!(out, "  {end:>width$}  the message ends as “{}”{why}", silent.end.status);
    out
}

/// Each line a paragraph of its own, broken within 100 columns.
fn paragraphs(lines: &[String]) -> String {
    lines.iter().map(|line| steps::filled(line, 0, 0)).collect()
}
