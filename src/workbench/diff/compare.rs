//! What differs between two runs under the same facts and the same script.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::language::words::listed;
use crate::machine::{End, Timeline};
use crate::model::{Channel, Span};

use super::draft::Draft;
use super::level::Level;
use super::race::race;

/// Two runs, of the old policy and of the new one.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) old: Timeline,
    pub(super) new: Timeline,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    pub(super) level: Level,
    /// The same for differences that are the same to a reader.
    pub(super) key: String,
    /// In a sentence.
    pub(super) what: String,
    /// What it is about: what of the same is one change to a reader.
    pub(super) aspect: Aspect,
    /// What follows from it under other scripts.
    pub(super) also: Vec<Also>,
    /// Whether it usually follows from another difference, and is left out beside one.
    pub(super) follows: bool,
    /// The channels that are sent more or at another time, and those that are sent less.
    pub(super) moved: [Vec<Channel>; 2],
}

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    /// Which messages are sent.
    Messages,
    /// By which providers a channel's messages go.
    Providers(Channel),
    /// When a channel's messages are sent: from when, to when.
    Time {
        channel: Channel,
        was_ms: i64,
        at_ms: i64,
    },
    Status,
    ReachedBy,
    Reasons,
    End,
}

/// What follows from a difference for some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Also {
    /// Whether they are those for whom something fails, not those who confirm.
    pub(super) fails: bool,
    /// Whether they are sent more messages or fewer.
    pub(super) messages: Ordering,
    /// The channels that are sent more or less.
    pub(super) channels: Vec<Channel>,
    /// In a sentence.
    pub(super) text: String,
}

impl Also {
    /// Whether a reader who knows this knows the other one: of those sent more on a channel, and of
    /// those sent less, one example is told.
    pub(super) fn covers(&self, other: &Also) -> bool {
        self.messages == other.messages && self.channels.iter().any(|c| other.channels.contains(c))
    }
}

impl Difference {
    pub(super) fn new(level: Level, aspect: Aspect, key: String, what: String) -> Difference {
        let moved = [Vec::new(), Vec::new()];
        Difference { level, aspect, key, what, also: Vec::new(), follows: false, moved }
    }
}

/// A message that a person was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) at_ms: i64,
    pub(super) channel: Channel,
    pub(super) provider: String,
}

/// Runs of the same two policies under other scripts, for what decides how a difference is called.
pub(super) trait Again {
    /// Under another script; `able` where every address, consent, quota and provider is there.
    fn again(&self, draft: &Draft, able: bool) -> Pair;
    /// Whether the facts take something away that a message needs.
    fn lacks(&self) -> bool;
    /// The channels of both policies.
    fn channels(&self) -> &[Channel];
}

/// All that differs, at the highest level at which something does.
pub(super) fn differences(pair: &Pair, draft: &Draft, again: &dyn Again) -> Vec<Difference> {
    let (old, new) = (told(&pair.old), told(&pair.new));
    if ways(&old) == ways(&new) {
        let by_others = other_providers(&old, &new);
        if !by_others.is_empty() {
            return by_others;
        }
        let timing = timing(&old, &new);
        if !timing.is_empty() {
            return timing;
        }
        return ends(&pair.old.end, &pair.new.end);
    }
    race(pair, draft, again).unwrap_or_else(|| moved(&old, &new, draft, again))
}

pub(super) fn told(timeline: &Timeline) -> Vec<Told> {
    let taken = timeline.timeline.iter().filter(|entry| matches!(entry.what, "accepted" | "in_doubt"));
    let told = |entry: &crate::machine::Entry| Told {
        at_ms: entry.at_ms,
        channel: entry.channel,
        provider: entry.provider.clone().unwrap_or_default(),
    };
    taken.map(told).collect()
}

pub(super) fn ways(told: &[Told]) -> Vec<(Channel, &str)> {
    let mut ways: Vec<_> = told.iter().map(|told| (told.channel, told.provider.as_str())).collect();
    ways.sort_unstable();
    ways
}

pub(super) fn counts(told: &[Told]) -> BTreeMap<Channel, usize> {
    told.iter().fold(BTreeMap::new(), |mut counts, told| {
        *counts.entry(told.channel).or_default() += 1;
        counts
    })
}

pub(super) fn nth(told: &[Told], channel: Channel, n: usize) -> Option<&Told> {
    told.iter().filter(|told| told.channel == channel).nth(n)
}

pub(super) fn words(channels: &[Channel], last: &str) -> String {
    listed(channels.iter().map(|channel| channel.word()), last)
}

fn messages(n: usize) -> String {
    format!("{n} {}", if n == 1 { "message" } else { "messages" })
}

/// Other channels, or more or fewer messages.
fn moved(old: &[Told], new: &[Told], draft: &Draft, again: &dyn Again) -> Vec<Difference> {
    let (before, after) = (counts(old), counts(new));
    let more_of = |a: &BTreeMap<Channel, usize>, b: &BTreeMap<Channel, usize>| -> Vec<Channel> {
        b.iter().filter(|(c, n)| a.get(c).copied().unwrap_or_default() < **n).map(|(c, _)| *c).collect()
    };
    let (gained, lost) = (more_of(&before, &after), more_of(&after, &before));
    let is_more = new.len() > old.len();
    // Who is told at last, because another way was not refused or not missing, is not told more often;
    // nor is it less in itself, where the other way is the one that is refused.
    let instead = new.len() != old.len() && (draft.has_refusals() || again.lacks()) && {
        let able = again.again(&draft.unrefused(), true);
        let (able_old, able_new) = (told(&able.old).len(), told(&able.new).len());
        if is_more { able_new <= able_old } else { able_new >= able_old }
    };
    let (from, to) = (messages(old.len()), messages(new.len()));
    let more = words(&gained, "and");
    let are = if gained.len() == 1 { "is" } else { "are" };
    let too = if gained.iter().any(|channel| before.contains_key(channel)) { "more often" } else { "too" };
    let (level, what) = match (gained.is_empty(), lost.is_empty()) {
        _ if is_more && !instead && old.is_empty() => {
            (Level::MoreSends, format!("{more} {are} sent, where nothing was sent"))
        }
        (false, true) if is_more && !instead => {
            (Level::MoreSends, format!("{more} {are} sent {too}: {to} instead of {from}"))
        }
        _ if is_more && !instead => (
            Level::MoreSends,
            format!("{more} {are} sent instead of {}: {to} instead of {from}", words(&lost, "and")),
        ),
        (false, true) if old.is_empty() => {
            (Level::Routing, format!("{more} {are} sent, where nobody could be told"))
        }
        (false, true) => (Level::Routing, format!("{more} {are} sent too, where another way was refused")),
        (false, false) => (Level::Routing, format!("{more} {are} sent instead of {}", words(&lost, "and"))),
        (true, false) => {
            let left = lost.iter().any(|channel| after.contains_key(channel));
            let are = if lost.len() == 1 { "is" } else { "are" };
            let less = if left { "sent less often" } else { "not sent any more" };
            let to =
                if new.is_empty() { "nothing is sent".to_owned() } else { format!("{to} instead of {from}") };
            (Level::Routing, format!("{} {are} {less}: {to}", words(&lost, "and")))
        }
        // The same number on each channel, by other providers.
        (true, true) => return providers(old, new),
    };
    let key = format!("{level} +{more} -{}", words(&lost, "and"));
    let mut found = Difference::new(level, Aspect::Messages, key, what);
    found.follows = instead;
    found.moved = [gained, lost];
    vec![found]
}

/// As many messages on each channel, by other providers.
fn providers(old: &[Told], new: &[Told]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    for told in old {
        let all = |list: &[Told]| -> Vec<String> {
            let mut names: Vec<_> =
                list.iter().filter(|t| t.channel == told.channel).map(|t| t.provider.clone()).collect();
            names.sort_unstable();
            names
        };
        let (from, to) = (all(old), all(new));
        let (from_only, to_only): (Vec<_>, Vec<_>) = (
            from.iter().filter(|p| !to.contains(p)).map(String::as_str).collect(),
            to.iter().filter(|p| !from.contains(p)).map(String::as_str).collect(),
        );
        let key = format!("routing {} {from_only:?} {to_only:?}", told.channel);
        if from == to || found.iter().any(|known| known.key == key) {
            continue;
        }
        let what = match (from_only.is_empty(), to_only.is_empty()) {
            (false, false) => format!(
                "`{}` goes by {} instead of {}",
                told.channel,
                listed(to_only, "and"),
                listed(from_only, "and")
            ),
            _ => format!("`{}` goes by other providers in turn", told.channel),
        };
        found.push(Difference::new(Level::Routing, Aspect::Providers(told.channel), key, what));
    }
    found
}

/// The same ways, each channel's messages in another order of providers.
fn other_providers(old: &[Told], new: &[Told]) -> Vec<Difference> {
    let mut found = Vec::new();
    for channel in counts(old).into_keys() {
        let of = |told: &[Told]| -> Vec<String> {
            told.iter().filter(|t| t.channel == channel).map(|t| t.provider.clone()).collect()
        };
        let (from, to) = (of(old), of(new));
        if let Some((from, to)) = from.iter().zip(&to).find(|(a, b)| a != b) {
            let key = format!("routing {channel} order {from} {to}");
            let what = format!("`{channel}` goes by `{to}` first, then by `{from}`");
            found.push(Difference::new(Level::Routing, Aspect::Providers(channel), key, what));
        }
    }
    found
}

/// The same messages at other times: each that moved otherwise than the one before it. Those of one
/// channel that all go later, or all sooner, are told in one sentence.
pub(super) fn timing(old: &[Told], new: &[Told]) -> Vec<Difference> {
    let mut found: Vec<Difference> = Vec::new();
    let mut seen: BTreeMap<Channel, usize> = BTreeMap::new();
    let mut shift = 0;
    for from in old {
        let channel = from.channel;
        let n = seen.entry(channel).or_default();
        let to = nth(new, channel, *n);
        *n += 1;
        let Some(to) = to else { continue };
        let moved = to.at_ms - from.at_ms;
        if moved == shift {
            continue;
        }
        shift = moved;
        if moved == 0 {
            continue;
        }
        let way = if moved > 0 { "later" } else { "sooner" };
        let nth = ordinal(*n, nth(old, channel, 1).is_some());
        let (at, was) = (Span::from_ms(to.at_ms), Span::from_ms(from.at_ms));
        let together = |known: &&mut Difference| {
            matches!(known.aspect, Aspect::Time { channel: other, was_ms, at_ms }
                if other == channel && (at_ms > was_ms) == (moved > 0))
        };
        if let Some(known) = found.iter_mut().find(together) {
            known.what.push_str(&format!(", {nth}at {at} instead of {was}"));
            continue;
        }
        let key = format!("timing {channel} {n} {way}");
        let what = format!("{nth}`{channel}` is sent {way}: at {at} instead of {was}");
        let aspect = Aspect::Time { channel, was_ms: from.at_ms, at_ms: to.at_ms };
        let mut difference = Difference::new(Level::Timing, aspect, key, what);
        difference.moved[0].push(channel);
        found.push(difference);
    }
    found
}

pub(super) fn ordinal(n: usize, several: bool) -> String {
    match (several, n) {
        (false, _) => String::new(),
        (true, 1) => "the first ".to_owned(),
        (true, 2) => "the second ".to_owned(),
        (true, 3) => "the third ".to_owned(),
        (true, n) => format!("the {n}th "),
    }
}

/// People are told the same; what is said of it differs.
fn ends(old: &End, new: &End) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |aspect, key: String, what: String| {
        let level = if aspect == Aspect::End { Level::Timing } else { Level::Wording };
        let mut difference = Difference::new(level, aspect, key, what);
        difference.follows = true;
        found.push(difference);
    };
    if old.status != new.status {
        let (from, to) = (old.status, new.status);
        let what = format!("the message ends `{to}` instead of `{from}`");
        tell(Aspect::Status, format!("status {from} {to}"), what);
    } else if old.reached_by != new.reached_by {
        let what = match (old.reached_by, new.reached_by) {
            (Some(from), Some(to)) => format!("the message is reached by `{to}` instead of `{from}`"),
            (Some(from), None) => format!("the message is reached by `{from}` no more"),
            (None, to) => format!("the message is now reached by `{}`", to.map_or("nobody", Channel::word)),
        };
        tell(Aspect::ReachedBy, format!("reached {:?} {:?}", old.reached_by, new.reached_by), what);
    }
    let reasons = |end: &End| -> Vec<(Channel, String)> {
        end.reasons.iter().filter_map(|r| Some((r.channel?, r.reason.clone()))).collect()
    };
    let (from, to) = (reasons(old), reasons(new));
    if let Some((channel, reason)) = to.iter().find(|reason| !from.contains(reason)) {
        let was = from.iter().find(|(c, r)| c == channel && !to.contains(&(*c, r.clone())));
        let instead = was.map(|(_, was)| format!(" instead of `{was}`")).unwrap_or_default();
        let what = format!("the reason `{reason}` is given for `{channel}`{instead}");
        tell(Aspect::Reasons, format!("reason {channel} {reason}{instead}"), what);
    } else if let Some((channel, reason)) = from.iter().find(|reason| !to.contains(reason)) {
        let what = format!("the reason `{reason}` is given for `{channel}` no more");
        tell(Aspect::Reasons, format!("reason {channel} {reason} gone"), what);
    } else if from != to {
        tell(
            Aspect::Reasons,
            "reasons".to_owned(),
            "the reasons are given in another order or number".to_owned(),
        );
    }
    if old.at_ms != new.at_ms {
        let way = if new.at_ms > old.at_ms { "later" } else { "sooner" };
        let (at, was) = (Span::from_ms(new.at_ms), Span::from_ms(old.at_ms));
        tell(Aspect::End, format!("end {way}"), format!("the message ends {way}: at {at} instead of {was}"));
    }
    found
}
