//! The steps of a strategy, numbered.

use std::fmt::Write as _;

use crate::language::condition::Expr;
use crate::language::policy::{ChannelStage, GroupKind, OnDoubt, Retry, Route, Wait};
use crate::machine::catalog::Catalog;
use crate::machine::{Machine, Outline, OutlineAction, StageId};
use crate::model::{Channel, Confirmation};

use super::conditions::{About, said};
use super::words::{an, clock, confirmed, days, duration, listed, times, window};

/// Columns of a line.
const COLUMNS: usize = 100;

/// The steps in words, and what must be explained about them.
pub(super) struct Steps {
    pub(super) text: String,
    /// When the whole is reached: `step 1 or step 2 is reached`.
    pub(super) reached: String,
    /// What the providers can confirm.
    pub(super) can: Vec<Confirmation>,
    compares: bool,
    /// Whether a step has a window of its own.
    is_windowed: bool,
    /// Each of them by itself.
    pub(super) steps: Vec<Step>,
}

/// A step in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The stage.
    pub id: StageId,
    /// How the text calls it: `2b.1`.
    pub number: String,
    /// What it is, when it starts, and what it does, a sentence each.
    pub says: Vec<String>,
}

struct Writer<'a> {
    catalog: &'a Catalog,
    can: Vec<Confirmation>,
    has_quiet: bool,
    text: String,
    compares: bool,
    is_windowed: bool,
    steps: Vec<Step>,
}

/// Where a step stands.
struct Place<'a> {
    /// `2b.1`.
    number: String,
    /// What begins when the strategy does: `the message`, or a step.
    owner: &'a str,
    depth: usize,
}

impl Steps {
    pub(super) fn of(machine: &Machine, catalog: &Catalog) -> Steps {
        let mut writer = Writer {
            catalog,
            can: machine.channel_stages().flat_map(|(_, stage)| confirmations(catalog, stage)).collect(),
            has_quiet: machine.headers().quiet.is_some(),
            text: String::new(),
            compares: false,
            is_windowed: false,
            steps: Vec::new(),
        };
        let outline = machine.outline();
        writer.strategy(&outline, "", "the message", 0);
        writer.compares |= machine.quiet_unless().is_some_and(|expr| expr.compares());
        let reached = reached_when(&outline, "");
        let Writer { can, text, compares, is_windowed, steps, .. } = writer;
        Steps { text, reached, can, compares, is_windowed, steps }
    }

    /// The words that the steps use.
    pub(super) fn terms(&self, machine: &Machine) -> String {
        let outline = machine.outline();
        let mut lines = vec![
            "A step has failed when its providers refused it, when the retries are used up, or when a failure is \
             reported after it was accepted (one that is reported later than confirmations are waited for starts \
             nothing). Refused for the person (a number that does not exist) or for what it says, it fails at once, and \
             no other provider is tried."
                .to_owned(),
            "A step cannot run where there is no address for it, where the person has opted out of its channel, where \
             there is no provider or no text for it, where the quota is used up or a limit is reached, or where every \
             provider of it is out of service. It has then failed without having been tried."
                .to_owned(),
            "Where nothing else is said, the providers of a step that fail for a passing reason are tried again twice, \
             the first time after 1 second and then after 2; and a send of which nobody knows whether it was taken counts \
             as accepted, where it can neither be asked about nor repeated without a second message."
                .to_owned(),
            "A provider that asks to be left alone for a while is passed over until then. Where all that are left do, the \
             step waits for the first of them, for an hour in all at most, and has then failed."
                .to_owned(),
        ];
        if self.is_windowed {
            lines.push("A step that no moment of the coming 8 days suits fails.".to_owned());
        }
        if outline.len() > 1 || outline.iter().any(|stage| !matches!(stage.action, OutlineAction::Channel(_)))
        {
            lines.push(
                "When a step starts, those before it are overtaken: nothing of them is tried again. What they have sent \
                 still counts: if it is confirmed later, the message is reached all the same."
                    .to_owned(),
            );
        }
        if self.compares {
            lines.push(
                "Where a condition asks for a value that is missing, its comparison does not hold."
                    .to_owned(),
            );
        }
        super::paragraphs(&lines)
    }
}

/// When a strategy is reached.
fn reached_when(outline: &[Outline<'_>], prefix: &str) -> String {
    let steps =
        outline.iter().enumerate().filter(|(_, stage)| !matches!(stage.action, OutlineAction::Wait(_)));
    let steps: Vec<String> = steps.map(|(place, _)| format!("step {}", numbered(prefix, place))).collect();
    if steps.is_empty() { "a step".to_owned() } else { format!("{} is reached", listed(&steps, "or")) }
}

fn numbered(prefix: &str, place: usize) -> String {
    if prefix.is_empty() { format!("{}", place + 1) } else { format!("{prefix}.{}", place + 1) }
}

/// `a`, `b`, … `z`, `aa`.
fn letter(place: usize) -> String {
    let last = char::from(b'a' + u8::try_from(place % 26).unwrap_or_default());
    if place < 26 { last.to_string() } else { format!("{}{last}", letter(place / 26 - 1)) }
}

impl Writer<'_> {
    fn strategy(&mut self, outline: &[Outline<'_>], prefix: &str, owner: &str, depth: usize) {
        for (place, stage) in outline.iter().enumerate() {
            let at = Place { number: numbered(prefix, place), owner, depth };
            let before = place.checked_sub(1).and_then(|before| outline.get(before));
            let is_second = place == 1;
            let before = before.map(|stage| (stage, numbered(prefix, place - 1), is_second));
            self.stage(stage, before.as_ref().map(|(s, n, second)| (*s, n.as_str(), *second)), &at);
        }
    }

    fn stage(&mut self, stage: &Outline<'_>, before: Option<(&Outline<'_>, &str, bool)>, at: &Place<'_>) {
        let mut says: Vec<String> = vec![title(stage)];
        says.push(starts(stage, before, at));
        if let OutlineAction::Channel(channel) = stage.action {
            self.channel(channel, &mut says);
        }
        let of = match stage.action {
            OutlineAction::Channel(channel) => Some(channel.channel),
            _ => None,
        };
        self.guards(stage, of, &mut says);
        if let Some(between) = stage.between {
            self.is_windowed = true;
            says.push(format!("It is held until the time is {}.", window(between)));
        }
        match &stage.action {
            OutlineAction::Group(kind, members) => {
                says.push(group(*kind).to_owned());
                self.add(stage, says, at);
                let owner = format!("step {}", at.number);
                for (place, member) in members.iter().enumerate() {
                    let name = format!("{}{}", at.number, letter(place));
                    self.member(member, &name, &owner, at.depth + 1);
                }
            }
            OutlineAction::Use(_, steps) => {
                says.push(format!("It is reached when {}.", reached_when(steps, &at.number)));
                self.add(stage, says, at);
                self.strategy(steps, &at.number, &format!("step {}", at.number), at.depth + 1);
            }
            _ => self.add(stage, says, at),
        }
    }

    /// A member of a group: a step of its own, or several.
    fn member(&mut self, member: &[Outline<'_>], name: &str, owner: &str, depth: usize) {
        if let [only] = member {
            let at = Place { number: name.to_owned(), owner, depth };
            return self.stage(only, None, &at);
        }
        let line = format!("{name}. These steps, of which one is enough:");
        self.text.push_str(&filled(&line, 3 * depth, name.len() + 2));
        self.strategy(member, name, owner, depth + 1);
    }

    fn add(&mut self, stage: &Outline<'_>, says: Vec<String>, at: &Place<'_>) {
        let line = format!("{}. {}", at.number, says.join(" "));
        self.text.push_str(&filled(&line, 3 * at.depth, at.number.len() + 2));
        self.steps.push(Step { id: stage.id, number: at.number.clone(), says });
    }

    fn guards(&mut self, stage: &Outline<'_>, channel: Option<Channel>, says: &mut Vec<String>) {
        let may_be_held = stage.between.is_some() || (self.has_quiet && channel.is_some());
        let again = if may_be_held { ", and again once it is no longer held" } else { "" };
        let when = format!("at the moment at which it would start{again}");
        let all = [&stage.only_if, &stage.unless];
        self.compares |= all.into_iter().flatten().any(Expr::compares);
        let said = |expr| said(expr, About { channel, can: &self.can });
        match (&stage.only_if, &stage.unless) {
            (None, None) => {}
            (Some(only), None) => {
                says.push(format!("It starts only if {}, {when}; otherwise it is skipped.", said(only)))
            }
            (None, Some(unless)) => says.push(format!("It is skipped if {}, {when}.", said(unless))),
            (Some(only), Some(unless)) => says.push(format!(
                "It starts only if {}; it is skipped otherwise, and also if {}. Both are decided {when}.",
                said(only),
                said(unless)
            )),
        }
    }

    fn channel(&self, channel: &ChannelStage, says: &mut Vec<String>) {
        says.extend(self.route(channel));
        let can = confirmations(self.catalog, channel);
        let is_told = can.contains(&Confirmation::Delivered);
        let goal =
            channel.until.unwrap_or(if is_told { Confirmation::Delivered } else { Confirmation::Accepted });
        let lowered = channel.until.is_none() && goal == Confirmation::Accepted;
        let lowered = if lowered { ", since no provider of it confirms a delivery" } else { "" };
        says.push(format!("It is reached once it {}{lowered}.", confirmed(goal, &can)));
        if channel.retry != Retry::DEFAULT {
            let Retry { times: n, from, to } = channel.retry;
            let pause = if from == to {
                format!("{} after the last answer", duration(from))
            } else {
                format!("with a pause that doubles from {} to {}", duration(from), duration(to))
            };
            says.push(match n {
                0 => "Where its providers fail for a passing reason, it is not tried again.".to_owned(),
                n => format!("Where its providers fail for a passing reason, they are tried again at most {}, each time {pause}.", times(n)),
            });
        }
        if let Some(repeat) = channel.repeat {
            says.push(format!(
                "While it is neither reached nor overtaken, it is sent again every {}, counted from its start, at most {}. \
                 Until then a failure waits for the next repetition, unless it lies with the person or with what is said.",
                duration(repeat.every),
                times(repeat.times)
            ));
        }
        if let Some(valid) = channel.valid {
            says.push(format!("The provider is told to give up on delivering it after {}.", duration(valid)));
        }
        match channel.on_doubt {
            OnDoubt::Wait => {}
            OnDoubt::MoveOn => says.push(
                "A send of which nobody knows whether it was taken counts as failed, where it can neither be asked about nor repeated without a second message."
                    .to_owned(),
            ),
            OnDoubt::Resend => says.push(
                "A send of which nobody knows whether it was taken is made again by the same provider, at most twice, where it can neither be asked about nor repeated without a second message: \
                 the person may get it more than once. After that it counts as accepted."
                    .to_owned(),
            ),
        }
    }

    fn route(&self, channel: &ChannelStage) -> Option<String> {
        match &channel.route {
            Route::Failover(names) => match &names[..] {
                [only] => Some(format!("It is sent by {only}.")),
                [first, rest @ ..] => {
                    Some(format!("It is sent by {first}; where that cannot, by {}.", rest.join(", then by ")))
                }
                [] => None,
            },
            Route::Weighted(shares) => {
                let shares: Vec<String> =
                    shares.iter().map(|(share, name)| format!("{share}% by {name}")).collect();
                Some(format!(
                    "Of all messages, {} are sent that way first; where one of them cannot, by the others in their order.",
                    listed(&shares, "and")
                ))
            }
            Route::Default => {
                self.catalog.providers.as_ref()?;
                let names: Vec<String> = self
                    .catalog
                    .route(channel.channel, &channel.route)
                    .into_iter()
                    .map(|provider| provider.name)
                    .collect();
                match &names[..] {
                    [] => Some("No provider serves it, so it cannot run.".to_owned()),
                    [only] => Some(format!("It is sent by {only}.")),
                    [first, rest @ ..] => Some(format!(
                        "It is sent by {first}; where that cannot, by {}.",
                        rest.join(", then by ")
                    )),
                }
            }
        }
    }
}

/// What the providers of a stage can confirm.
fn confirmations(catalog: &Catalog, stage: &ChannelStage) -> Vec<Confirmation> {
    catalog.route(stage.channel, &stage.route).into_iter().flat_map(|provider| provider.confirms).collect()
}

fn title(stage: &Outline<'_>) -> String {
    match &stage.action {
        OutlineAction::Channel(channel) => {
            format!("{}.", an(channel.channel).replacen('a', "A", 1))
        }
        OutlineAction::Wait(Wait::For(span)) => format!("A wait of {}.", duration(*span)),
        OutlineAction::Wait(Wait::Until { time, days: on, zone }) => {
            format!("A wait until it is {time}{} {}.", days(*on), clock(zone))
        }
        OutlineAction::Group(GroupKind::Any, _) => {
            "Several steps together, of which one is enough.".to_owned()
        }
        OutlineAction::Group(GroupKind::All, _) => {
            "Several steps together, each of which must be reached.".to_owned()
        }
        OutlineAction::Use(policy, _) => format!("All that the policy “{policy}” says, as one step."),
    }
}

/// When a stage starts, as long as nothing holds or skips it.
fn starts(stage: &Outline<'_>, before: Option<(&Outline<'_>, &str, bool)>, at: &Place<'_>) -> String {
    let owner = at.owner;
    let is_wait = |stage: &Outline<'_>| matches!(stage.action, OutlineAction::Wait(_));
    let Some((before, number, is_second)) = before else {
        return match (stage.after, is_wait(stage)) {
            (_, true) => format!("It begins when {owner} starts."),
            (None, _) => format!("It starts when {owner} starts."),
            (Some(after), _) => format!("It starts {} after {owner} starts.", duration(after)),
        };
    };
    match (is_wait(before), is_wait(stage), stage.after) {
        (true, true, _) => format!("It begins when the wait of step {number} is over."),
        (true, false, None) => format!("It starts when the wait of step {number} is over."),
        (true, false, Some(after)) => {
            format!("It starts {} after the wait of step {number} is over.", duration(after))
        }
        (false, true, _) => format!(
            "It begins as soon as step {number} has started, or has come to an end without starting, and lasts its \
             whole time also if that step fails."
        ),
        (false, false, None) => format!(
            "It starts as soon as step {number} was tried and has failed; while that waits for a confirmation, this \
             does not start. If step {number} is skipped or cannot run, it starts at once."
        ),
        (false, false, Some(after)) => {
            let after = duration(after);
            let passed = if is_second {
                format!("If step {number} is skipped or cannot run, it starts at once.")
            } else {
                format!(
                    "If step {number} is skipped or cannot run, it starts at once; but where the last step before it \
                     that was tried is neither reached nor failed, it starts {after} after the start of that one (after \
                     the end of a wait), and at once should that one fail meanwhile."
                )
            };
            format!(
                "It starts as soon as step {number} was tried and has failed, and otherwise {after} after step {number} \
                 started, if that has not been reached by then. {passed}"
            )
        }
    }
}

const fn group(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Any => {
            "Its parts start together. It is reached as soon as one of them is, and nothing more of the others is then \
             started or tried again; it has failed when all of them have. A part that is skipped is left out; if all are, so is the step."
        }
        GroupKind::All => {
            "Its parts start together. It is reached when all of them are; it has failed when one has failed and the \
             rest have come to an end, and what they have sent then counts no longer for how the message ends. A part that is \
             skipped is left out; if all are, so is the step."
        }
    }
}

/// A paragraph, its first line at `indent` and the others `hanging` further in.
pub(super) fn filled(text: &str, indent: usize, hanging: usize) -> String {
    let mut out = " ".repeat(indent);
    let mut column = indent;
    let mut is_first = true;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if !is_first && column + 1 + length > COLUMNS {
            column = indent + hanging;
            _ = write!(out, "\n{}", " ".repeat(column));
        } else if !is_first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
        is_first = false;
    }
    out.push('\n');
    out
}
