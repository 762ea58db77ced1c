//! What differs between two runs under the same facts and the same script.

use std::collections::BTreeMap;

use crate::language::words::listed;
use crate::machine::{End, Timeline};
use crate::model::{Channel, Span};

use super::draft::Draft;
use super::level::Level;

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
    /// What follows from it under other scripts.
    pub(super) also: Option<String>,
    /// Whether it usually follows from another difference, and is left out beside one.
    pub(super) follows: bool,
    /// The channels that are sent more or at another time, and those that are sent less.
    pub(super) moved: [Vec<Channel>; 2],
}

impl Difference {
    pub(super) fn new(level: Level, key: String, what: String) -> Difference {
        Difference { level, key, what, also: None, follows: false, moved: [Vec::new(), Vec::new()] }
    }
}

/// A message that a person was sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    at_ms: i64,
    channel: Channel,
    provider: String,
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
    race(pair, &old, &new, draft, again).unwrap_or_else(|| moved(&old, &new, draft, again))
}

fn told(timeline: &Timeline) -> Vec<Told> {
    let taken = timeline.timeline.iter().filter(|entry| matches!(entry.what, "accepted" | "in_doubt"));
    let told = |entry: &crate::machine::Entry| Told {
        at_ms: entry.at_ms,
        channel: entry.channel,
        provider: entry.provider.clone().unwrap_or_default(),
    };
    taken.map(told).collect()
}

fn ways(told: &[Told]) -> Vec<(Channel, &str)> {
    let mut ways: Vec<_> = told.iter().map(|told| (told.channel, told.provider.as_str())).collect();
    ways.sort_unstable();
    ways
}

fn counts(told: &[Told]) -> BTreeMap<Channel, usize> {
    told.iter().fold(BTreeMap::new(), |mut counts, told| {
        *counts.entry(told.channel).or_default() += 1;
        counts
    })
}

fn nth(told: &[Told], channel: Channel, n: usize) -> Option<&Told> {
    told.iter().filter(|told| told.channel == channel).nth(n)
}

fn words(channels: &[Channel], last: &str) -> String {
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
    let mut found = Difference::new(level, key, what);
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
        found.push(Difference::new(Level::Routing, key, what));
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
            found.push(Difference::new(Level::Routing, key, what));
        }
    }
    found
}

/// The same messages at other times: each that moved otherwise than the one before it.
fn timing(old: &[Told], new: &[Told]) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut seen: BTreeMap<Channel, usize> = BTreeMap::new();
    let mut shift = 0;
    for from in old {
        let n = seen.entry(from.channel).or_default();
        let to = nth(new, from.channel, *n);
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
        let nth = ordinal(*n, nth(old, from.channel, 1).is_some());
        let (at, was) = (Span::from_ms(to.at_ms), Span::from_ms(from.at_ms));
        let key = format!("timing {} {n} {way}", from.channel);
        let what = format!("{nth}`{}` is sent {way}: at {at} instead of {was}", from.channel);
        let mut difference = Difference::new(Level::Timing, key, what);
        difference.moved[0].push(from.channel);
        found.push(difference);
    }
    found
}

fn ordinal(n: usize, several: bool) -> String {
    match (several, n) {
        (false, _) => String::new(),
        (true, 1) => "the first ".to_owned(),
        (true, 2) => "the second ".to_owned(),
        (true, 3) => "the third ".to_owned(),
        (true, n) => format!("the {n}th "),
    }
}

/// A message that one of the two sends and the other does not, only because a confirmation came between
/// the times at which they would: that is a change of time.
fn race(
    pair: &Pair,
    old: &[Told],
    new: &[Told],
    draft: &Draft,
    again: &dyn Again,
) -> Option<Vec<Difference>> {
    let confirmed: Vec<i64> = [&pair.old, &pair.new]
        .into_iter()
        .flat_map(|timeline| &timeline.timeline)
        .filter(|entry| matches!(entry.what, "delivered" | "read" | "replied"))
        .map(|entry| entry.at_ms)
        .collect();
    if confirmed.is_empty() {
        return None;
    }
    let keys = again.channels().iter().map(|channel| channel.word().to_owned());
    let silent = again.again(&draft.unconfirmed(keys), false);
    let (silent_old, silent_new) = (told(&silent.old), told(&silent.new));
    let mut found = timing(&silent_old, &silent_new);
    if ways(&silent_old) != ways(&silent_new) || found.is_empty() {
        return None;
    }
    let (before, after) = (counts(old), counts(new));
    let mut window: Option<(Channel, i64, i64)> = None;
    for channel in again.channels() {
        let count = |counts: &BTreeMap<Channel, usize>| counts.get(channel).copied().unwrap_or_default();
        let (a, b) = (count(&before), count(&after));
        if a == b {
            continue;
        }
        let missing = a.min(b);
        let times = [nth(&silent_old, *channel, missing)?.at_ms, nth(&silent_new, *channel, missing)?.at_ms];
        let (first, last) = (times[0].min(times[1]), times[0].max(times[1]));
        if !confirmed.iter().any(|at| first < *at && *at <= last) {
            return None;
        }
        window.get_or_insert((*channel, first, last));
    }
    let (channel, first, last) = window?;
    let (more, by) = if new.len() > old.len() {
        ("more", new.len() - old.len())
    } else {
        ("fewer", old.len() - new.len())
    };
    let (first, last) = (Span::from_ms(first), Span::from_ms(last));
    let also = format!("whoever is confirmed between {first} and {last} is sent {by} {more}");
    if let Some(difference) = found.iter_mut().find(|difference| difference.moved[0].contains(&channel)) {
        difference.also = Some(also);
    }
    Some(found)
}

/// People are told the same; what is said of it differs.
fn ends(old: &End, new: &End) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut tell = |level, key: String, what: String| {
        let mut difference = Difference::new(level, key, what);
        difference.follows = true;
        found.push(difference);
    };
    if old.status != new.status {
        let (from, to) = (old.status, new.status);
        let what = format!("the message ends `{to}` instead of `{from}`");
        tell(Level::Wording, format!("status {from} {to}"), what);
    } else if old.reached_by != new.reached_by {
        let what = match (old.reached_by, new.reached_by) {
            (Some(from), Some(to)) => format!("the message is reached by `{to}` instead of `{from}`"),
            (Some(from), None) => format!("the message is reached by `{from}` no more"),
            (None, to) => format!("the message is now reached by `{}`", to.map_or("nobody", Channel::word)),
        };
        tell(Level::Wording, format!("reached {:?} {:?}", old.reached_by, new.reached_by), what);
    }
    let reasons = |end: &End| -> Vec<(Channel, String)> {
        end.reasons.iter().filter_map(|r| Some((r.channel?, r.reason.clone()))).collect()
    };
    let (from, to) = (reasons(old), reasons(new));
    if let Some((channel, reason)) = to.iter().find(|reason| !from.contains(reason)) {
        let was = from.iter().find(|(c, r)| c == channel && !to.contains(&(*c, r.clone())));
        let instead = was.map(|(_, was)| format!(" instead of `{was}`")).unwrap_or_default();
        let what = format!("the reason `{reason}` is given for `{channel}`{instead}");
        tell(Level::Wording, format!("reason {channel} {reason}{instead}"), what);
    } else if let Some((channel, reason)) = from.iter().find(|reason| !to.contains(reason)) {
        let what = format!("the reason `{reason}` is given for `{channel}` no more");
        tell(Level::Wording, format!("reason {channel} {reason} gone"), what);
    } else if from != to {
        tell(
            Level::Wording,
            "reasons".to_owned(),
            "the reasons are given in another order or number".to_owned(),
        );
    }
    if old.at_ms != new.at_ms {
        let way = if new.at_ms > old.at_ms { "later" } else { "sooner" };
        let (at, was) = (Span::from_ms(new.at_ms), Span::from_ms(old.at_ms));
        tell(
            Level::Timing,
            format!("end {way}"),
            format!("the message ends {way}: at {at} instead of {was}"),
        );
    }
    found
}
