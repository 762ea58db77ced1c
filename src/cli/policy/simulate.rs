//! `spine policy simulate`: what happens and when, under a virtual clock.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::config::YamlFile;
use crate::cli::{CliError, terminal};
use crate::language::Diagnostic;
use crate::language::facts_text::GivenFacts;
use crate::language::script::Scripts;
use crate::machine::explore::{Met, MetBounds, meet_bounds};
use crate::machine::{End, Endings, Entry, Scenario, Timeline, all_endings, simulate};
use crate::model::{Currency, Instant, Money, Span};
use crate::workbench::suite::odd_facts;

use super::chosen::{Chosen, Which};

/// Show what a policy does and when, under a virtual clock
///
/// Exit codes: 0 simulated; 1 the policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy simulate reminder.policy --script 'whatsapp: accepted; sms: accepted, delivered after 1s'\n  \
    spine policy simulate reminder.policy --facts 'quota.sms=used' --format json\n  \
    spine policy simulate reminder.policy --all")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// What providers answer, by provider or channel; without one: accepted, delivered after 1s
    #[arg(long, value_name = "SCRIPT", conflicts_with = "all")]
    script: Option<String>,
    /// What is known of the message and the person: a YAML file, or `vars.amount=5, quota.sms=used`
    #[arg(long, value_name = "FILE|FACTS")]
    facts: Option<String>,
    /// When the request is accepted
    #[arg(long, value_name = "INSTANT", default_value = "2026-01-05T12:00:00Z")]
    at: Instant,
    /// Walk every outcome and show the distinct endings
    #[arg(long)]
    all: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each thing that happens
    Human,
    /// One object; its shape is kept
    Json,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let facts = self.facts.as_deref().map(read_facts).transpose()?.unwrap_or_default();
        let scripts = self.script.as_deref().map(read_scripts).transpose()?.unwrap_or_default();
        let (machine, catalog) = match self.which.choose(self.format == Format::Json)? {
            Chosen::Policy(machine, catalog) => (machine, catalog),
            Chosen::Faults(code) => return Ok(code),
        };
        let beyond = scripts.check(|key| catalog.confirmations(&machine, key));
        if !beyond.is_empty() {
            return Err(refused("the script cannot be played", beyond.iter().map(|(_, fault)| fault)));
        }
        for (key, _) in scripts.iter().filter(|(key, _)| catalog.confirmations(&machine, key).is_none()) {
            let name = machine.name();
            terminal::tell(&format!(
                "spine: `{key}` is no channel and no provider of `{name}`; its script is not played"
            ));
        }
        for (.., told) in odd_facts(&facts, &machine, &catalog) {
            terminal::tell(&format!("spine: {told}"));
        }
        let scenario = Scenario::given(&machine, &facts, catalog, self.at);
        if self.all {
            let endings = all_endings(&scenario);
            let met = meet_bounds(&machine, &scenario.world.catalog, &facts, self.at);
            match self.format {
                Format::Human => {
                    let currency = scenario.world.catalog.currency();
                    let told =
                        format!("{}\n{}", endings_for_people(&endings), bounds_for_people(&met, currency));
                    terminal::print(&told)?;
                }
                Format::Json => {
                    let mut whole = serde_json::to_value(&endings)?;
                    whole["bounds"] = bounds_for_programs(&met, scenario.world.catalog.currency());
                    terminal::print_json(&whole)?;
                }
            }
        } else {
            let timeline = simulate(&scenario, &scripts);
            match self.format {
                Format::Human => terminal::print(&timeline_for_people(&timeline))?,
                Format::Json => terminal::print_json(&timeline)?,
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn refused<'a>(what: &str, faults: impl Iterator<Item = &'a Diagnostic>) -> CliError {
    let mut text = format!("{what}:");
    for fault in faults {
        _ = write!(text, "\n  {}", in_one_line(fault));
    }
    CliError::Refused(text)
}

/// What is wrong and what to write.
fn in_one_line(fault: &Diagnostic) -> String {
    let Diagnostic { message, help, .. } = fault;
    let pause = if message.ends_with('?') { " " } else { "; " };
    help.as_ref().map_or_else(|| message.clone(), |help| format!("{message}{pause}{help}"))
}

fn read_scripts(text: &str) -> Result<Scripts, CliError> {
    Scripts::parse(text).map_err(|faults| refused("the script cannot be read", faults.iter()))
}

/// A file of facts, or the facts themselves: what has no `=` can only be a file.
fn read_facts(given: &str) -> Result<GivenFacts, CliError> {
    let path = Path::new(given);
    if given.contains('=') && !path.is_file() {
        return GivenFacts::parse(given).map_err(|faults| refused("the facts cannot be read", faults.iter()));
    }
    let file = YamlFile::read(path)?;
    let facts = serde_json::to_value(&file.value).ok();
    let Some(serde_json::Value::Object(facts)) = facts else {
        let message = "must hold facts, `name: value` on each line".to_owned();
        return Err(file.refused(vec![file.fault(&[], false, message)]));
    };
    GivenFacts::from_map(&facts).map_err(|faults| {
        let told = faults.into_iter().map(|(name, fault)| {
            let message = in_one_line(&fault);
            // A name with dots stands as one, or as names below one another.
            let nested: Vec<&str> = name.split('.').collect();
            let whole = [name.as_str()];
            let flat = facts.contains_key(&name);
            file.fault(if flat { &whole } else { &nested }, false, message)
        });
        file.refused(told.collect())
    })
}

fn counted(sends: u32, cost: Option<Money>) -> String {
    let cost = cost.map(|cost| format!(", {cost}")).unwrap_or_default();
    format!("{sends} {}{cost}", if sends == 1 { "send" } else { "sends" })
}

fn timeline_for_people(timeline: &Timeline) -> String {
    let times: Vec<String> = timeline.timeline.iter().map(|e| Span::from_ms(e.at_ms).to_string()).collect();
    let end_at = Span::from_ms(timeline.end.at_ms).to_string();
    let width = times.iter().map(String::len).chain([end_at.len()]).max().unwrap_or_default();
    let channels = timeline.timeline.iter().map(|entry| entry.channel.word().len());
    let channel_width = channels.max().unwrap_or_default().max("end".len());
    let mut out = format!("{}\n\n", timeline.policy);
    for (time, entry) in times.iter().zip(&timeline.timeline) {
        let channel = entry.channel.word();
        _ = writeln!(out, "  {time:>width$}  {channel:<channel_width$}  {}", said(entry));
    }
    _ = writeln!(out, "  {end_at:>width$}  {:<channel_width$}  {}", "end", ended(&timeline.end));
    _ = writeln!(out, "\n{}", counted(timeline.sends, timeline.cost));
    out
}

/// What happened, in words.
fn said(entry: &Entry) -> String {
    let provider = entry.provider.as_deref().filter(|provider| *provider != entry.channel.word());
    let by = provider.map(|provider| format!(" by {provider}")).unwrap_or_default();
    let reason = entry.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let what = match entry.what {
        "send" => return format!("sent{}", provider.map(|p| format!(" by {p}")).unwrap_or_default()),
        "skip" => "skipped",
        "fail" => "failed",
        "in_doubt" => "in doubt",
        "hold" => "held",
        "retry" => "tried again",
        "repeat" => "repeated",
        other => other,
    };
    format!("{what}{by}{reason}")
}

fn ended(end: &End) -> String {
    let by = end.reached_by.map(|channel| format!(" by {channel}")).unwrap_or_default();
    let reasons: Vec<String> = end
        .reasons
        .iter()
        .map(|reason| match reason.channel {
            Some(channel) => format!("{channel} {}", reason.reason),
            None => format!("\"{}\"", reason.reason),
        })
        .collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("{}{by}{reasons}", end.status)
}

fn endings_for_people(endings: &Endings) -> String {
    let mut out = String::new();
    for ending in &endings.endings {
        let script: Vec<String> =
            ending.script.iter().map(|(key, script)| format!("{key}: {script}")).collect();
        let script =
            if script.is_empty() { "whatever the providers say".to_owned() } else { script.join("; ") };
        let at = Span::from_ms(ending.end.at_ms);
        _ = writeln!(
            out,
            "{}, at {at}, {}\n    {script}",
            ended(&ending.end),
            counted(ending.sends, ending.cost)
        );
    }
    let count = endings.endings.len();
    let more = if endings.complete { "" } else { "; there are more" };
    _ = writeln!(out, "\n{count} {}{more}", if count == 1 { "ending" } else { "endings" });
    out
}

/// Whether the bounds are met, and by what.
fn bounds_for_people(met: &MetBounds, currency: Option<Currency>) -> String {
    let mut out = String::from("bounds\n");
    let sends = |n: i64| format!("{n} {}", if n == 1 { "send" } else { "sends" });
    bound("at most", &met.sends, met.complete, &sends, &mut out);
    match &met.duration_ms {
        Some(latest) => {
            let shown = |ms: i64| Span::from_ms(ms).to_string();
            bound("the last send by", latest, met.complete, &shown, &mut out);
        }
        None => out.push_str("  nothing bounds the time of the last send\n"),
    }
    if let (Some(cost), Some(currency)) = (&met.cost_micros, currency) {
        let shown = |micros: i64| Money { micros, currency }.to_string();
        bound("at most", cost, met.complete, &shown, &mut out);
    }
    out
}

fn bound(what: &str, met: &Met, complete: bool, shown: &dyn Fn(i64) -> String, out: &mut String) {
    let how = match (met.met, complete) {
        (true, _) => "met".to_owned(),
        (false, true) => format!("never met; it comes to {}", shown(met.most)),
        (false, false) => format!("not met among what was looked at; that came to {}", shown(met.most)),
    };
    _ = writeln!(out, "  {what} {}: {how}", shown(met.max));
    if let Some(witness) = &met.witness {
        let facts = witness.facts.to_string();
        for (word, text) in [("facts", facts), ("script", witness.script())] {
            if !text.is_empty() {
                _ = writeln!(out, "    {word}: {text}");
            }
        }
        if witness.at != crate::machine::Witness::ORDINARY_AT {
            _ = writeln!(out, "    at: {}", witness.at);
        }
    }
}

fn bounds_for_programs(met: &MetBounds, currency: Option<Currency>) -> serde_json::Value {
    let one = |met: &Met, shown: &dyn Fn(i64) -> serde_json::Value| {
        let mut value = serde_json::json!({"max": shown(met.max), "most": shown(met.most), "met": met.met});
        if let Some(witness) = &met.witness {
            value["facts"] = serde_json::json!(witness.facts.to_string());
            value["script"] = serde_json::json!(witness.scripts);
            value["at"] = serde_json::json!(witness.at);
        }
        value
    };
    let plain = |number: i64| serde_json::json!(number);
    let money = |micros: i64| serde_json::json!(currency.map(|currency| Money { micros, currency }));
    serde_json::json!({
        "sends": one(&met.sends, &plain),
        "duration_ms": met.duration_ms.as_ref().map(|met| one(met, &plain)),
        "cost": met.cost_micros.as_ref().map(|met| one(met, &money)),
        "complete": met.complete,
    })
}
