//! How differences are written: for people, for programs, and as a comment on a pull request.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Value, json as object};

use crate::machine::{Bounds, Timeline};
use crate::model::Span;

use super::level::Level;
use super::{AllowFault, Change, Kind, PolicyDiff, Shown, Way};

/// Of a policy in which no run differs, where there were more.
const UNSURE: &str = "nothing was found that differs, but not everything was looked at";

/// Further ways of one change that are written out; programs read all of them.
const WAYS_MAX: usize = 3;

/// Where a policy stands, for the command that shows a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What puts its text on the standard input, such as `git show main:a.policy`; `None` for a file.
    pub from: Option<String>,
    /// A path, or `-`.
    pub path: String,
    /// The name of the policy, where its text holds several.
    pub policy: Option<String>,
}

/// A policy with where its two versions stand.
#[derive(Debug, Clone)]
pub struct Reported {
    /// What differs.
    pub diff: PolicyDiff,
    /// Where the old one stands.
    pub old: Option<Origin>,
    /// Where the new one stands.
    pub new: Option<Origin>,
}

/// Everything that is told.
#[derive(Debug, Clone)]
pub struct Report {
    /// The policies of both sides.
    pub policies: Vec<Reported>,
    /// Up to which level changes pass.
    pub allowed: Level,
    /// Comments that allow nothing, with the path in which they stand.
    pub faults: Vec<(String, AllowFault)>,
    /// The catalog's file, for the commands.
    pub catalog: Option<String>,
}

impl Report {
    /// The highest level of what was not accepted.
    #[must_use]
    pub fn level(&self) -> Level {
        self.policies.iter().map(|policy| policy.diff.level()).max().unwrap_or(Level::None)
    }

    /// Whether a change is above what is allowed.
    #[must_use]
    pub fn fails(&self) -> bool {
        self.level() > self.allowed
    }

    /// The policies of which there is something to say.
    fn told(&self) -> impl Iterator<Item = &Reported> {
        self.policies.iter().filter(|policy| policy.diff.kind != Kind::Same || !policy.diff.is_complete())
    }

    fn command(&self, origin: &Origin, shown: &Shown) -> String {
        let command = shown.witness.command(&origin.path, origin.policy.as_deref(), self.catalog.as_deref());
        match &origin.from {
            Some(from) => format!("{from} | {command}"),
            None => command,
        }
    }

    fn commands(&self, policy: &Reported, shown: &Shown) -> [Option<String>; 2] {
        [&policy.old, &policy.new].map(|origin| origin.as_ref().map(|origin| self.command(origin, shown)))
    }
}

/// A run in a line: what is sent and skipped, and how it ends.
fn run(timeline: &Timeline) -> String {
    let mut parts = Vec::new();
    for entry in &timeline.timeline {
        let at = Span::from_ms(entry.at_ms);
        let provider = entry.provider.as_deref().filter(|provider| *provider != entry.channel.word());
        let by = provider.map(|provider| format!(" by {provider}")).unwrap_or_default();
        let reason = entry.reason.as_deref().unwrap_or_default();
        match entry.what {
            "send" => parts.push(format!("{at} {}{by}", entry.channel)),
            "skip" => parts.push(format!("{at} {} skipped ({reason})", entry.channel)),
            "fail" => parts.push(format!("{at} {} failed ({reason})", entry.channel)),
            "hold" => parts.push(format!("{at} {} held ({reason})", entry.channel)),
            _ => {}
        }
    }
    if parts.is_empty() {
        parts.push("nothing is sent".to_owned());
    }
    let end = &timeline.end;
    let by = end.reached_by.map(|channel| format!(" by {channel}")).unwrap_or_default();
    format!("{}; {}{by} at {}", parts.join(", "), end.status, Span::from_ms(end.at_ms))
}

/// The bounds that moved, each in words.
fn bounds(diff: &PolicyDiff) -> Vec<String> {
    let (Some(old), Some(new)) = (diff.old_bounds, diff.new_bounds) else { return Vec::new() };
    let span = |ms: Option<i64>| ms.map_or("never bounded".to_owned(), |ms| Span::from_ms(ms).to_string());
    let mut out = Vec::new();
    if old.sends_max != new.sends_max {
        let messages = counted(new.sends_max, "message", "messages");
        out.push(format!("at most {messages} instead of {}", old.sends_max));
    }
    if old.duration_max_ms != new.duration_max_ms {
        let (to, from) = (span(new.duration_max_ms), span(old.duration_max_ms));
        out.push(format!("the last may start at {to} instead of {from}"));
    }
    if let (Some(from), Some(to)) = (old.cost_max, new.cost_max)
        && from != to
    {
        out.push(format!("at most {to} instead of {from}"));
    }
    out
}

fn heading(diff: &PolicyDiff) -> String {
    let was = diff.was.as_ref().map(|was| format!(" (was `{was}`)")).unwrap_or_default();
    let kind = match diff.kind {
        Kind::Added => "added, ",
        Kind::Removed => "removed, ",
        Kind::Same | Kind::Changed => "",
    };
    let level = match diff.kind {
        Kind::Same => UNSURE,
        _ => diff.level().word(),
    };
    format!("{}{was}: {kind}{level}", diff.name)
}

pub(super) fn counted<N: PartialEq + From<u8> + std::fmt::Display>(n: N, one: &str, more: &str) -> String {
    format!("{n} {}", if n == N::from(1) { one } else { more })
}

fn summary(report: &Report) -> String {
    let of = |wanted: &dyn Fn(&PolicyDiff) -> bool| {
        report.policies.iter().filter(|policy| wanted(&policy.diff)).count()
    };
    let changed = of(&|diff| diff.kind != Kind::Same);
    let same = of(&|diff| diff.kind == Kind::Same && diff.is_complete());
    let unsure = report.policies.len() - changed - same;
    let mut out = match (changed, same, unsure) {
        (0, _, 0) => "nothing changes for anybody".to_owned(),
        _ => {
            let changed =
                (changed > 0).then(|| format!("{} changed", counted(changed, "policy", "policies")));
            let same = (same > 0).then(|| format!("{same} as before"));
            let policies = counted(unsure, "policy", "policies");
            let unsure = (unsure > 0).then(|| format!("in {policies} {UNSURE}"));
            [changed, same, unsure].into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    };
    let accepted =
        report.policies.iter().flat_map(|p| &p.diff.changes).filter(|c| c.accepted.is_some()).count();
    if accepted > 0 {
        _ = write!(out, "; {} accepted in the text", counted(accepted, "change is", "changes are"));
    }
    if changed > 0 {
        let verdict = if report.level() > report.allowed { "is not allowed" } else { "is allowed" };
        _ = write!(out, "; the highest level is `{}`, which {verdict}", report.level());
    }
    out
}

/// For people.
#[must_use]
pub fn human(report: &Report) -> String {
    let mut out = String::new();
    for policy in report.told() {
        _ = writeln!(out, "{}", heading(&policy.diff));
        for change in &policy.diff.changes {
            told(report, policy, change, &mut out);
        }
        for moved in bounds(&policy.diff) {
            _ = writeln!(out, "  bounds      {moved}");
        }
        for why in &policy.diff.gave_up {
            _ = writeln!(out, "  not all     {why}");
        }
        out.push('\n');
    }
    for (path, fault) in &report.faults {
        _ = writeln!(out, "{path}:{}: this comment {}", fault.line, fault.message);
    }
    if !report.faults.is_empty() {
        out.push('\n');
    }
    _ = writeln!(out, "{}", summary(report));
    out
}

fn told(report: &Report, policy: &Reported, change: &Change, out: &mut String) {
    _ = writeln!(out, "  {:<10}  {}", change.level.word(), change.what);
    let mut more = |text: String| _ = writeln!(out, "              {text}");
    if let Some(also) = &change.also {
        more(also.clone());
    }
    if let Some(why) = &change.accepted {
        more(format!("accepted: {why}"));
    }
    let Some(shown) = &change.shown else { return };
    more(format!("old  {}", run(&shown.old)));
    more(format!("new  {}", run(&shown.new)));
    report.commands(policy, shown).into_iter().flatten().for_each(&mut more);
    if let Some(ways) = ways(change) {
        more(format!("{ways}:"));
    }
    for way in change.more.iter().take(WAYS_MAX) {
        more(format!("- {}, by {}", way.sentence(), way.under()));
    }
}

/// How many further ways there are.
fn ways(change: &Change) -> Option<String> {
    let n = change.more.len();
    let of = if n > WAYS_MAX { format!(", the first {WAYS_MAX} of them") } else { String::new() };
    (n > 0).then(|| format!("and {}{of}", counted(n, "more way", "more ways")))
}

impl Way {
    fn sentence(&self) -> String {
        let also = self.also.as_ref().map(|also| format!("; {also}")).unwrap_or_default();
        format!("{}{also}", self.what)
    }

    /// What `simulate` is given to show it.
    fn under(&self) -> String {
        self.shown.witness.options().collect::<Vec<_>>().join(" ")
    }
}

/// As a comment on a pull request.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut out =
        format!("### What changes for the people who are told\n\n{}.\n", sentence(&summary(report)));
    for policy in report.told() {
        let diff = &policy.diff;
        let was = diff.was.as_ref().map(|was| format!(", was `{was}`")).unwrap_or_default();
        let kind = match diff.kind {
            Kind::Added => ", added",
            Kind::Removed => ", removed",
            Kind::Same | Kind::Changed => "",
        };
        _ = writeln!(out, "\n#### `{}`{was}{kind}", diff.name);
        if diff.kind == Kind::Same {
            _ = writeln!(out, "\n{}.", sentence(UNSURE));
        }
        let moved = bounds(diff);
        if !diff.changes.is_empty() || !moved.is_empty() {
            out.push_str("\n| level | what changes |\n|---|---|\n");
        }
        for change in &diff.changes {
            let also = change.also.as_ref().map(|also| format!("; {also}")).unwrap_or_default();
            let n = change.more.len();
            let more = (n > 0).then(|| format!(" (and {})", counted(n, "more way", "more ways")));
            let more = more.unwrap_or_default();
            let accepted =
                change.accepted.as_ref().map(|why| format!(" *(accepted: {why})*")).unwrap_or_default();
            _ = writeln!(
                out,
                "| **{}** | {} |",
                change.level,
                cell(&format!("{}{also}{more}{accepted}", change.what))
            );
        }
        for moved in moved {
            _ = writeln!(out, "| bounds | {} |", cell(&moved));
        }
        for why in &diff.gave_up {
            _ = writeln!(out, "\n*Not all was tried: {why}.*");
        }
        let shown = diff.changes.iter().filter_map(|change| Some((change, change.shown.as_ref()?)));
        for (change, shown) in shown {
            _ = write!(out, "\n<details><summary>{}</summary>\n\n", html(&change.what));
            _ = write!(out, "- before: {}\n- after: {}\n\n```sh\n", run(&shown.old), run(&shown.new));
            for command in report.commands(policy, shown).into_iter().flatten() {
                _ = writeln!(out, "{command}");
            }
            out.push_str("```\n");
            if let Some(ways) = ways(change) {
                _ = write!(out, "\n{}:\n\n", sentence(&ways));
            }
            for way in change.more.iter().take(WAYS_MAX) {
                _ = writeln!(out, "- {}: `{}`", way.sentence(), way.under());
            }
            out.push_str("\n</details>\n");
        }
    }
    if !report.faults.is_empty() {
        out.push('\n');
    }
    for (path, fault) in &report.faults {
        _ = writeln!(out, "- `{path}`, line {}: this comment {}", fault.line, fault.message);
    }
    out
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// A cell of a table, which ends at a bar.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// In HTML nothing marks code but its own element.
fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut out = String::new();
    for (place, part) in escaped.split('`').enumerate() {
        match place % 2 {
            0 => out.push_str(part),
            _ => _ = write!(out, "<code>{part}</code>"),
        }
    }
    out
}

/// For programs.
#[derive(Serialize)]
struct JsonChange<'a> {
    level: Level,
    what: &'a str,
    also: Option<&'a str>,
    accepted: Option<&'a str>,
    facts: Option<String>,
    at: Option<String>,
    script: Option<&'a std::collections::BTreeMap<String, String>>,
    old: Option<&'a Timeline>,
    new: Option<&'a Timeline>,
    commands: Option<Value>,
    more: Vec<JsonWay<'a>>,
}

#[derive(Serialize)]
struct JsonWay<'a> {
    what: &'a str,
    also: Option<&'a str>,
    facts: String,
    at: String,
    script: &'a std::collections::BTreeMap<String, String>,
    commands: Value,
}

/// For programs: one object.
#[must_use]
pub fn json(report: &Report) -> Value {
    let policies: Vec<Value> = report.policies.iter().map(|policy| json_policy(report, policy)).collect();
    let faults = report.faults.iter();
    let faults: Vec<Value> = faults
        .map(|(path, fault)| object!({"path": path, "line": fault.line, "message": format!("this comment {}", fault.message)}))
        .collect();
    object!({
        "level": report.level(),
        "allowed": report.allowed,
        "ok": !report.fails(),
        "policies": policies,
        "faults": faults,
    })
}

fn json_way<'a>(report: &Report, policy: &Reported, way: &'a Way) -> JsonWay<'a> {
    let witness = &way.shown.witness;
    let [old, new] = report.commands(policy, &way.shown);
    JsonWay {
        what: &way.what,
        also: way.also.as_deref(),
        facts: witness.facts.to_string(),
        at: witness.at.to_string(),
        script: &witness.scripts,
        commands: object!({"old": old, "new": new}),
    }
}

fn json_policy(report: &Report, policy: &Reported) -> Value {
    let diff = &policy.diff;
    let change = |change: &Change| {
        let shown = change.shown.as_ref();
        let [old, new] = shown.map(|shown| report.commands(policy, shown)).unwrap_or_default();
        let json = JsonChange {
            level: change.level,
            what: &change.what,
            also: change.also.as_deref(),
            accepted: change.accepted.as_deref(),
            facts: shown.map(|shown| shown.witness.facts.to_string()),
            at: shown.map(|shown| shown.witness.at.to_string()),
            script: shown.map(|shown| &shown.witness.scripts),
            old: shown.map(|shown| &shown.old),
            new: shown.map(|shown| &shown.new),
            commands: shown.map(|_| object!({"old": old, "new": new})),
            more: change.more.iter().map(|way| json_way(report, policy, way)).collect(),
        };
        serde_json::to_value(json).unwrap_or_default()
    };
    let both = |old: &Option<Bounds>, new: &Option<Bounds>| object!({"old": old, "new": new});
    object!({
        "name": diff.name,
        "was": diff.was,
        "kind": diff.kind,
        "level": diff.level(),
        "changes": diff.changes.iter().map(change).collect::<Vec<_>>(),
        "bounds": both(&diff.old_bounds, &diff.new_bounds),
        "runs": diff.runs,
        "complete": diff.is_complete(),
        "gave_up": diff.gave_up,
    })
}
