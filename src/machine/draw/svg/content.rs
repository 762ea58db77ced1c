//! What each box says, and how large it is.

use crate::language::policy::{ChannelStage, GroupKind, OnDoubt, Retry, Route, Wait};
use crate::model::{Channel, Confirmation, Window, Zone};

use super::super::super::plan::{Kind, Machine, StageId, StrategyId};
use super::super::on;
use super::look::Look;
use super::text::{width, wrapped};

pub(super) const TITLE_SIZE: f64 = 14.0;
pub(super) const TEXT_SIZE: f64 = 12.0;
/// From one line to the next.
pub(super) const LINE: f64 = 17.0;
/// Between the edge of a box and what is in it.
pub(super) const PAD: f64 = 16.0;
/// The mark beside a title, with the blank behind it.
pub(super) const ICON: f64 = 24.0;
/// Between a box and the next one below it, without the words between them.
pub(super) const GAP: f64 = 34.0;
/// Between members.
pub(super) const BESIDE: f64 = 22.0;
/// Between a line and the words beside it.
pub(super) const ASIDE: f64 = 9.0;

const TEXT_WIDTH_MAX: f64 = 250.0;
const JOINT_WIDTH_MAX: f64 = 190.0;
const BOX_WIDTH_MIN: f64 = 132.0;

/// Stages below one another.
pub(super) struct Chain {
    /// On the way into it.
    pub(super) entry: Vec<String>,
    pub(super) items: Vec<Item>,
    /// On the way into each item but the first.
    pub(super) joints: Vec<Vec<String>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// A box, or a frame with chains in it.
pub(super) struct Item {
    pub(super) look: Look,
    pub(super) title: String,
    /// What it says, each thing by itself.
    pub(super) says: Vec<String>,
    /// The same, in lines that fit.
    pub(super) lines: Vec<String>,
    pub(super) members: Vec<Chain>,
    /// What reaches it; `None` for a `wait`.
    pub(super) goal: Option<String>,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Item {
    /// The height of title and lines, with the blank above and below.
    pub(super) fn head(&self) -> f64 {
        2.0 * PAD - 12.0 + LINE * (1.0 + self.lines.len() as f64)
    }
}

/// The height of the way into an item.
pub(super) fn way(words: &[String]) -> f64 {
    GAP + LINE * words.len().saturating_sub(1) as f64
}

pub(super) fn chain(machine: &Machine, id: StrategyId) -> Chain {
    let stages = &machine.strategy(id).stages;
    let items: Vec<Item> = stages.iter().map(|stage| item(machine, *stage)).collect();
    let joints: Vec<Vec<String>> = stages.windows(2).map(|pair| joint(machine, pair)).collect();
    let entry = stages.first().and_then(|first| machine.stage(*first).after);
    let entry: Vec<String> = entry.map(|after| format!("after {after}")).into_iter().collect();
    let words = |lines: &[String]| lines.iter().map(|l| width(l, TEXT_SIZE, false)).fold(0.0, f64::max);
    // Words stand to the right of a line that goes down the middle.
    let aside = |lines: &[String]| if lines.is_empty() { 0.0 } else { 2.0 * (words(lines) + ASIDE) };
    let widest = items.iter().map(|item| item.width);
    let widest = widest.chain(joints.iter().map(|lines| aside(lines))).chain([aside(&entry)]);
    let heights = items.iter().map(|item| item.height).sum::<f64>();
    let ways: f64 = joints.iter().map(|lines| way(lines)).sum();
    let into = if entry.is_empty() { 0.0 } else { way(&entry) };
    Chain { width: widest.fold(0.0, f64::max), height: into + heights + ways, entry, items, joints }
}

fn item(machine: &Machine, id: StageId) -> Item {
    let stage = machine.stage(id);
    let mut says: Vec<String> = Vec::new();
    let (look, title, members, goal) = match &stage.kind {
        Kind::Channel(channel) => {
            of_channel(channel, &mut says);
            let goal = channel.until.map_or_else(|| default_goal(channel.channel), Confirmation::word);
            (Look::Channel(channel.channel), name(channel.channel).to_owned(), &[][..], Some(goal.to_owned()))
        }
        Kind::Wait(Wait::For(span)) => (Look::Wait, format!("wait {span}"), &[][..], None),
        Kind::Wait(Wait::Until { time, days, zone }) => {
            says.push(format!("{}{}", on(*days), in_zone(zone)).trim_start().to_owned());
            (Look::Wait, format!("wait until {time}"), &[][..], None)
        }
        Kind::Group { used: Some(policy), members, .. } => {
            (Look::Frame, format!("policy {policy}"), &members[..], Some("reached".to_owned()))
        }
        Kind::Group { kind: GroupKind::Any, members, .. } => {
            let title = "any of: one is enough".to_owned();
            (Look::Frame, title, &members[..], Some("one is reached".to_owned()))
        }
        Kind::Group { kind: GroupKind::All, members, .. } => {
            let title = "all of: each must be reached".to_owned();
            (Look::Frame, title, &members[..], Some("all are reached".to_owned()))
        }
    };
    says.extend(stage.only_if.iter().map(|guard| format!("only if {}", guard.text)));
    says.extend(stage.unless.iter().map(|guard| format!("unless {}", guard.text)));
    says.extend(stage.between.iter().map(|window| format!("between {}", of_window(window, "and"))));
    let members: Vec<Chain> = members.iter().map(|member| chain(machine, *member)).collect();
    sized(look, title, says, members, goal)
}

pub(super) fn sized(
    look: Look,
    title: String,
    says: Vec<String>,
    members: Vec<Chain>,
    goal: Option<String>,
) -> Item {
    let inside: f64 = members.iter().map(|member| member.width).sum::<f64>()
        + BESIDE * members.len().saturating_sub(1) as f64;
    let most = TEXT_WIDTH_MAX.max(inside);
    let lines: Vec<String> = says.iter().flat_map(|line| wrapped(line, TEXT_SIZE, false, most)).collect();
    let icon = if matches!(look, Look::Channel(_) | Look::Wait) { ICON } else { 0.0 };
    let words = lines.iter().map(|line| width(line, TEXT_SIZE, false)).fold(0.0, f64::max);
    let words = words.max(width(&title, TITLE_SIZE, true) + icon);
    let mut item = Item { look, title, says, lines, members, goal, width: 0.0, height: 0.0 };
    item.width = (words.max(inside) + 2.0 * PAD).max(BOX_WIDTH_MIN).ceil();
    let tallest = item.members.iter().map(|member| member.height).fold(0.0, f64::max);
    item.height = item.head() + if item.members.is_empty() { 0.0 } else { tallest + PAD };
    item
}

fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Whatsapp => "WhatsApp",
        Channel::Email => "E-mail",
        Channel::Push => "Push",
        Channel::Voice => "Voice call",
        Channel::Slack => "Slack",
        Channel::Telegram => "Telegram",
        Channel::Webhook => "Webhook",
    }
}

fn default_goal(channel: Channel) -> &'static str {
    let confirms = channel.default_confirmations().contains(&Confirmation::Delivered);
    if confirms { Confirmation::Delivered.word() } else { Confirmation::Accepted.word() }
}

fn of_channel(channel: &ChannelStage, says: &mut Vec<String>) {
    match &channel.route {
        Route::Default => {}
        Route::Failover(names) => says.push(format!("via {}", names.join(", else "))),
        Route::Weighted(shares) => {
            let shares: Vec<_> = shares.iter().map(|(share, name)| format!("{share}% {name}")).collect();
            says.push(format!("via {}", shares.join(", ")));
        }
    }
    if let Some(goal) = channel.until {
        says.push(format!("until {goal}"));
    }
    if channel.retry != Retry::DEFAULT {
        let Retry { times, from, to } = channel.retry;
        let pause = if from == to { format!("every {from}") } else { format!("{from} to {to}") };
        says.push(match times {
            0 => "no retry".to_owned(),
            _ => format!("retry {}, {pause}", counted(times)),
        });
    }
    if let Some(repeat) = channel.repeat {
        says.push(format!("repeat {} every {}", counted(repeat.times), repeat.every));
    }
    if let Some(valid) = channel.valid {
        says.push(format!("valid {valid}"));
    }
    match channel.on_doubt {
        OnDoubt::Wait => {}
        OnDoubt::MoveOn => says.push("in doubt: move on".to_owned()),
        OnDoubt::Resend => says.push("in doubt: send again".to_owned()),
    }
}

fn counted(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}

fn in_zone(zone: &Zone) -> String {
    match zone {
        Zone::Named(name) => format!(" in {name}"),
        Zone::Contact { otherwise: None } => " in the contact's zone".to_owned(),
        Zone::Contact { otherwise: Some(name) } => format!(" in the contact's zone, else {name}"),
    }
}

fn of_window(window: &Window, joined_by: &str) -> String {
    format!("{} {joined_by} {}{}{}", window.from, window.to, on(window.days), in_zone(&window.zone))
}

/// What leads from a stage to the one after it.
fn joint(machine: &Machine, pair: &[StageId]) -> Vec<String> {
    let [before, next] = pair else { return Vec::new() };
    let (before, next) = (machine.stage(*before), machine.stage(*next));
    let waits = |kind: &Kind| matches!(kind, Kind::Wait(_));
    let skips = before.only_if.is_some() || before.unless.is_some();
    let text = match (waits(&before.kind), waits(&next.kind), next.after) {
        (true, _, Some(after)) => format!("after {after} more"),
        (true, _, None) => "then".to_owned(),
        (false, true, _) => "once it started, or cannot".to_owned(),
        (false, false, None) if skips => "failed or skipped".to_owned(),
        (false, false, None) => "failed".to_owned(),
        (false, false, Some(after)) if skips => format!("after {after}, or failed or skipped"),
        (false, false, Some(after)) => format!("after {after}, or failed"),
    };
    wrapped(&text, TEXT_SIZE, false, JOINT_WIDTH_MAX)
}

/// What stands below the policy's name.
pub(in super::super) fn headers(machine: &Machine) -> Vec<String> {
    let headers = machine.headers();
    let mut first: Vec<String> = headers.category.iter().cloned().collect();
    first.extend(headers.expires.map(|expires| format!("expires after {expires}")));
    let sends = headers.limit_sends.map(|n| format!("{n} {}", if n == 1 { "send" } else { "sends" }));
    let limits: Vec<String> =
        sends.into_iter().chain(headers.limit_cost.map(|cost| cost.to_string())).collect();
    if !limits.is_empty() {
        first.push(format!("at most {}", limits.join(" and ")));
    }
    let mut lines = vec![first.join("  ·  ")];
    if let Some(quiet) = &headers.quiet {
        let unless = machine.quiet_unless.as_ref().map(|guard| format!(", unless {}", guard.text));
        lines.push(format!("quiet {}{}", of_window(&quiet.window, "to"), unless.unwrap_or_default()));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// Where the message ends that did not reach the person.
pub(super) fn unreached(machine: &Machine) -> Item {
    match machine.otherwise() {
        Some(why) => sized(Look::Failed, "failed".to_owned(), vec![format!("“{why}”")], Vec::new(), None),
        None => {
            let says = vec!["sent, where one was accepted;".to_owned(), "else failed".to_owned()];
            sized(Look::Unreached, "not reached".to_owned(), says, Vec::new(), None)
        }
    }
}

/// Where the message ends that did.
pub(super) fn reached() -> Item {
    sized(Look::Reached, "reached".to_owned(), vec!["nothing more is sent".to_owned()], Vec::new(), None)
}

/// Where it begins.
pub(super) fn start() -> Item {
    sized(Look::Start, "message accepted".to_owned(), Vec::new(), Vec::new(), None)
}

/// The picture in a sentence for each stage, for those who hear it.
pub(super) fn described(chain: &Chain) -> String {
    let mut out = String::new();
    for (place, item) in chain.items.iter().enumerate() {
        let way = match place.checked_sub(1).and_then(|before| chain.joints.get(before)) {
            None => chain.entry.join(" "),
            Some(words) => words.join(" "),
        };
        let way = if way.is_empty() { String::new() } else { format!("{way}: ") };
        let says: Vec<&str> =
            [item.title.as_str()].into_iter().chain(item.says.iter().map(String::as_str)).collect();
        let members: Vec<String> = item.members.iter().map(described).collect();
        let members = if members.is_empty() { String::new() } else { format!(" ({})", members.join(" / ")) };
        let end = if place + 1 == chain.items.len() { "" } else { "; " };
        out.push_str(&format!("{way}{}{members}{end}", says.join(", ")));
    }
    out
}
