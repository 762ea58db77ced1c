//! A message that only one of two runs sends, since a receipt came between the times at which they would.
//!
//! Whoever confirms at 40 seconds gets the message of 30 seconds and not that of 45: the clock is what
//! changed, and who is touched is told beside it. It has to be the same receipt of the same send in both
//! runs, as long after it; without it both have to send the same, at other times; and it has to come
//! after one of the two times and before the other. So a stage that changed its place, or a guard that
//! asks about a receipt, is not taken for a clock.

use crate::machine::Timeline;
use crate::model::{Channel, Confirmation, Span};

use super::compare::{Again, Also, Difference, Pair, Told, counts, nth, ordinal, timing, told, ways, words};
use super::draft::{Draft, Receipt};

/// When a send that no script speaks of is confirmed.
const UNSCRIPTED: (Receipt, Span) = (Receipt::Confirmed(Confirmation::Delivered), Span::from_s(1));

/// A receipt that both runs have.
struct Between {
    key: String,
    /// Which receipt of which answer, for what a script says.
    place: Option<(usize, usize)>,
    receipt: Receipt,
    after: Span,
    channel: Channel,
    /// When that was sent which it is about, in the old run and in the new one.
    sent: [i64; 2],
}

/// What differs in time, where it is only that; `None` where people are told otherwise.
pub(super) fn race(pair: &Pair, draft: &Draft, again: &dyn Again) -> Option<Vec<Difference>> {
    let receipts = between(pair, draft);
    if receipts.is_empty() {
        return None;
    }
    let each = receipts.iter().find_map(|receipt| {
        let without = receipt.taken_from(draft);
        only_time(pair, std::slice::from_ref(receipt), &again.again(&without, false))
    });
    // Of several receipts each may have kept back something else.
    each.or_else(|| {
        let keys = again.channels().iter().map(|channel| channel.word().to_owned());
        only_time(pair, &receipts, &again.again(&draft.silent(keys), false))
    })
}

fn only_time(pair: &Pair, receipts: &[Between], silent: &Pair) -> Option<Vec<Difference>> {
    let (old, new) = (told(&silent.old), told(&silent.new));
    let mut found = timing(&old, &new);
    if ways(&old) != ways(&new) || found.is_empty() {
        return None;
    }
    let own: Vec<Channel> = found.iter().flat_map(|d| d.moved[0].iter().copied()).collect();
    let also = receipts.iter().find_map(|receipt| receipt.keeps_back(pair, &old, &new, &own))?;
    // Where nothing of what it touches moved by itself, it is told with the first that did.
    let moved = |difference: &Difference| also.channels.iter().any(|c| difference.moved[0].contains(c));
    let place = found.iter().position(moved).unwrap_or_default();
    if let Some(difference) = found.get_mut(place) {
        difference.also.push(also);
    }
    Some(found)
}

/// The receipts before which the two runs have not sent the same, the first first.
fn between(pair: &Pair, draft: &Draft) -> Vec<Between> {
    let (old, new) = (told(&pair.old), told(&pair.new));
    let after = sends(&pair.new, draft);
    let mut found = Vec::new();
    for from in sends(&pair.old, draft) {
        let Some(to) = after.iter().find(|to| to.key == from.key && to.ordinal == from.ordinal) else {
            continue;
        };
        for (place, receipt, span) in receipts(pair, draft, &from) {
            let between = Between {
                key: from.key.clone(),
                place,
                receipt,
                after: span,
                channel: from.channel,
                sent: [from.at_ms, to.at_ms],
            };
            if between.before(&old, 0) != between.before(&new, 1) {
                found.push(between);
            }
        }
    }
    found.sort_by_key(|between| between.sent[0].saturating_add(between.after.ms()));
    found
}

/// An attempt of a run, the how-manieth of its key.
struct Send {
    key: String,
    ordinal: usize,
    channel: Channel,
    at_ms: i64,
}

fn sends(timeline: &Timeline, draft: &Draft) -> Vec<Send> {
    let mut out: Vec<Send> = Vec::new();
    for entry in timeline.timeline.iter().filter(|entry| entry.what == "send") {
        let provider = entry.provider.as_deref().unwrap_or_default();
        let key = draft.key_of(provider, entry.channel).unwrap_or(provider).to_owned();
        let ordinal = out.iter().filter(|send| send.key == key).count();
        out.push(Send { key, ordinal, channel: entry.channel, at_ms: entry.at_ms });
    }
    out
}

type Place = Option<(usize, usize)>;

fn receipts(pair: &Pair, draft: &Draft, send: &Send) -> Vec<(Place, Receipt, Span)> {
    let Some(steps) = draft.keys.get(&send.key) else {
        let shown = [&pair.old, &pair.new].into_iter().flat_map(|timeline| &timeline.timeline);
        let confirms = |entry: &crate::machine::Entry| {
            entry.what == "delivered" && entry.provider.as_deref() == Some(send.key.as_str())
        };
        let (receipt, after) = UNSCRIPTED;
        return shown.filter(|e| confirms(e)).take(1).map(|_| (None, receipt, after)).collect();
    };
    let step = send.ordinal.min(steps.len().saturating_sub(1));
    let then = steps.get(step).map(|said| said.then.as_slice()).unwrap_or_default();
    let placed = then.iter().enumerate();
    placed.map(|(place, (receipt, after))| (Some((step, place)), *receipt, *after)).collect()
}

impl Between {
    /// The script without it and what comes after it.
    fn taken_from(&self, draft: &Draft) -> Draft {
        match self.place {
            Some((step, place)) => draft.cut(&self.key, step, place),
            None => draft.accepted(self.key.clone()),
        }
    }

    /// What a run had sent before it came. What is sent at the same instant comes after it.
    fn before(&self, told: &[Told], run: usize) -> Vec<(Channel, String)> {
        let at = self.sent.get(run).copied().unwrap_or_default().saturating_add(self.after.ms());
        let mut before: Vec<_> =
            told.iter().filter(|t| t.at_ms < at).map(|t| (t.channel, t.provider.clone())).collect();
        before.sort_unstable();
        before
    }

    /// Whom it touches, where it comes between the times at which the two send something.
    fn keeps_back(
        &self,
        pair: &Pair,
        silent_old: &[Told],
        silent_new: &[Told],
        own: &[Channel],
    ) -> Option<Also> {
        let (old, new) = (told(&pair.old), told(&pair.new));
        let of = |before: &[(Channel, String)], channel: Channel| {
            before.iter().filter(|(other, _)| *other == channel).count()
        };
        let (before_old, before_new) = (self.before(&old, 0), self.before(&new, 1));
        let mut channels: Vec<Channel> = before_old.iter().chain(&before_new).map(|(c, _)| *c).collect();
        channels.sort_unstable();
        channels.dedup();
        let mut window: Option<(i64, i64)> = None;
        for channel in channels {
            let (a, b) = (of(&before_old, channel), of(&before_new, channel));
            for missing in a.min(b)..a.max(b) {
                // Counted from the send that is confirmed, since that may have moved itself.
                let from = nth(silent_old, channel, missing)?.at_ms - self.sent[0];
                let to = nth(silent_new, channel, missing)?.at_ms - self.sent[1];
                let (first, last) = (from.min(to), from.max(to));
                let after = self.after.ms();
                // What comes before that send in one of them changed its place, not its time alone.
                if first < 0 || after <= first || last < after {
                    return None;
                }
                window = Some(window.map_or((first, last), |(a, b)| (a.max(first), b.min(last))));
            }
        }
        let window = window?;
        Some(self.told(window, &old, &new, own))
    }

    /// In a sentence, which names the channel where that is not one whose times moved.
    fn told(&self, (first, last): (i64, i64), old: &[Told], new: &[Told], own: &[Channel]) -> Also {
        let (before, after) = (counts(old), counts(new));
        let count = |counts: &std::collections::BTreeMap<Channel, usize>, channel: &Channel| {
            counts.get(channel).copied().unwrap_or_default()
        };
        let all = || before.keys().chain(after.keys().filter(|channel| !before.contains_key(channel)));
        let gained: Vec<Channel> = all().filter(|c| count(&before, c) < count(&after, c)).copied().collect();
        let lost: Vec<Channel> = all().filter(|c| count(&before, c) > count(&after, c)).copied().collect();
        let (first, last) = (Span::from_ms(first), Span::from_ms(last));
        let which = {
            let same = |told: &&Told| told.channel == self.channel;
            let n = old.iter().filter(same).filter(|told| told.at_ms <= self.sent[0]).count();
            ordinal(n.max(1), nth(old, self.channel, 1).is_some())
        };
        let (channel, at_once) = (self.channel, self.sent == [0, 0]);
        let sent = match (gained.is_empty(), lost.is_empty()) {
            (false, false) => format!("{} instead of {}", words(&gained, "and"), words(&lost, "and")),
            (fewer, _) => {
                let n = old.len().abs_diff(new.len());
                let word = if fewer { "fewer" } else { "more" };
                let channels = if fewer { &lost } else { &gained };
                match channels.as_slice() {
                    [channel] if own.contains(channel) => format!("{n} {word}"),
                    channels => format!("{n} {word}: {}", words(channels, "and")),
                }
            }
        };
        let text = match self.receipt {
            Receipt::Failed => format!(
                "where {which}`{channel}` fails between {first} and {last} after it, people are sent {sent}"
            ),
            Receipt::Confirmed(_) if at_once => {
                format!("whoever is confirmed between {first} and {last} is sent {sent}")
            }
            Receipt::Confirmed(_) => format!(
                "whoever confirms {which}`{channel}` between {first} and {last} after it is sent {sent}"
            ),
        };
        let channels = gained.into_iter().chain(lost).collect();
        Also { fails: self.receipt == Receipt::Failed, messages: new.len().cmp(&old.len()), channels, text }
    }
}
