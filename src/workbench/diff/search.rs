//! The shortest scripts under which two policies differ.
//!
//! Both run under the same facts and the same script, by the simulator that anybody can call. Scripts
//! grow a word at a time, where one of the two asks a provider something that is not said yet, or waits
//! for a confirmation; shorter ones come first. So the first script that shows a difference is a
//! shortest one.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};

use crate::language::condition::Word;
use crate::language::facts_text::GivenFacts;
use crate::language::policy::{OnDoubt, Route};
use crate::machine::catalog::Catalog;
use crate::machine::explore::Witness;
use crate::machine::{Machine, Scenario, Timeline, simulate};
use crate::model::{Channel, Confirmation, Instant, Span};

use super::compare::{Again, Difference, Pair, differences};
use super::draft::{Answer, Draft, Receipt, Said, between};
use super::level::Level;

/// Receipts of one attempt that are tried after each other.
const RECEIPTS_MAX: usize = 2;
/// Answers to one key that are written out, at least and at most.
const STEPS: (usize, usize) = (6, 16);

/// Choices of facts under which scripts are tried that lie further than the search comes.
const FAR_FACTS_MAX: usize = 30;

/// What is searched.
pub(super) struct Search<'a> {
    pub(super) old: &'a Machine,
    pub(super) new: &'a Machine,
    pub(super) catalog: &'a Catalog,
    /// The facts that can make a difference, the most ordinary first.
    pub(super) facts: &'a [(GivenFacts, Instant)],
    /// How many pairs of runs are looked at.
    pub(super) runs_max: usize,
}

/// A difference with the shortest script that shows it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) difference: Difference,
    pub(super) witness: Witness,
    pub(super) pair: Pair,
}

/// What came of a search.
pub(super) struct Searched {
    /// In the order in which they were found.
    pub(super) found: Vec<Found>,
    pub(super) runs: usize,
    /// Whether the runs sufficed for all scripts that are written.
    pub(super) is_complete: bool,
    /// Scripts that are not written, since they would say more than is tried.
    pub(super) cut: Cut,
}

/// What was not tried, however many runs there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Cut {
    /// Other answers than the last one after so many; 0 where none were left out.
    pub(super) answers: usize,
    /// Further confirmations after so many.
    pub(super) receipts: bool,
}

impl Cut {
    /// In sentences.
    pub(super) fn told(self) -> impl Iterator<Item = String> {
        let answers = format!(
            "from attempt {} with a provider on, only one answer for all of them was tried",
            self.answers
        );
        let receipts = format!("no more than {RECEIPTS_MAX} confirmations of one attempt were tried");
        [(self.answers > 0).then_some(answers), self.receipts.then_some(receipts)].into_iter().flatten()
    }
}

/// What both policies care about.
struct Cares {
    channels: Vec<Channel>,
    /// Channels that have one provider in each policy, so that a script can name the channel.
    plain: BTreeSet<Channel>,
    /// Confirmations that a goal or a guard asks about; `delivered` always.
    levels: BTreeSet<Confirmation>,
    answers: Vec<Answer>,
    /// How many answers to one key are written out: all to the retries of a stage, and one more.
    steps_max: usize,
    /// What a key can confirm in each policy that knows it.
    confirms: BTreeMap<String, BTreeSet<Confirmation>>,
}

struct Scenarios<'a> {
    search: &'a Search<'a>,
    cares: &'a Cares,
    place: usize,
}

impl Search<'_> {
    pub(super) fn run(&self) -> Searched {
        let cares = Cares::of(self);
        let mut queue = BinaryHeap::new();
        let mut order = 0_usize;
        for (place, (facts, at)) in self.facts.iter().enumerate() {
            let witness = Witness { facts: facts.clone(), at: *at, scripts: BTreeMap::new() };
            let base = witness.length();
            queue.push(Reverse((base, base, order, place, Draft::default())));
            order += 1;
        }
        let (mut seen, mut found, mut runs) = (HashSet::new(), Vec::<Found>::new(), 0);
        let mut cut = Cut::default();
        // Of two that are as long, that with the more ordinary facts comes first.
        while let Some(Reverse((_, base, _, place, draft))) = queue.pop() {
            if runs >= self.runs_max {
                self.far(&cares, &mut runs, &mut found);
                return Searched { found, runs, is_complete: false, cut };
            }
            runs += 1;
            let scenarios = Scenarios { search: self, cares: &cares, place };
            let pair = scenarios.again(&draft, false);
            for difference in differences(&pair, &draft, &scenarios) {
                self.keep(difference, place, &draft, &pair, &mut found);
            }
            for next in scenarios.longer(&draft, &pair, &mut cut) {
                if seen.insert((place, next.clone())) {
                    queue.push(Reverse((base + next.length(), base, order, place, next)));
                    order += 1;
                }
            }
        }
        if cut != Cut::default() {
            self.far(&cares, &mut runs, &mut found);
        }
        Searched { found, runs, is_complete: true, cut }
    }

    /// What longer scripts show in which all providers say the same: all are silent, or all refuse. Each
    /// is cut to what is needed.
    fn far(&self, cares: &Cares, runs: &mut usize, found: &mut Vec<Found>) {
        let all = |answer: Answer| {
            let key = |channel: &Channel| (channel.word().to_owned(), vec![Said::plain(answer)]);
            Draft { keys: cares.channels.iter().map(key).collect() }
        };
        let far = [Answer::Accepted, Answer::RecipientFault, Answer::Transient].map(all);
        for place in 0..self.facts.len().min(FAR_FACTS_MAX) {
            let scenarios = Scenarios { search: self, cares, place };
            let mut seen = |draft: &Draft| {
                *runs += 1;
                let pair = scenarios.again(draft, false);
                (differences(&pair, draft, &scenarios), pair)
            };
            for draft in &far {
                for difference in seen(draft).0 {
                    if found.iter().any(|known| known.difference.key == difference.key) {
                        continue;
                    }
                    let mut short = draft.clone();
                    for key in draft.keys.keys() {
                        let mut less = short.clone();
                        less.keys.remove(key);
                        if seen(&less).0.iter().any(|other| other.key == difference.key) {
                            short = less;
                        }
                    }
                    let (differences, pair) = seen(&short);
                    if let Some(difference) = differences.into_iter().find(|d| d.key == difference.key) {
                        self.keep(difference, place, &short, &pair, found);
                    }
                }
            }
        }
    }

    fn keep(&self, difference: Difference, place: usize, draft: &Draft, pair: &Pair, found: &mut Vec<Found>) {
        let like = |known: &&mut Found| known.difference.key == difference.key;
        if let Some(Found { difference: known, .. }) = found.iter_mut().find(like) {
            // Whom else it touches is told beside the times that it goes with, unless something else has to
            // fail for that first.
            let is_plain =
                |fails| known.also.is_empty() || !draft.has_refusals() && draft.has_failures() == fails;
            let also = difference.also.into_iter().filter(|_| known.what == difference.what);
            for also in also.filter(|also| is_plain(also.fails)).collect::<Vec<_>>() {
                if !known.also.iter().any(|other| other.covers(&also)) {
                    known.also.push(also);
                }
            }
            return;
        }
        let Some((facts, at)) = self.facts.get(place) else { return };
        let witness = Witness { facts: facts.clone(), at: *at, scripts: draft.texts() };
        found.push(Found { difference, witness, pair: pair.clone() });
    }
}

impl Scenarios<'_> {
    fn run(&self, machine: &Machine, facts: &GivenFacts, at: Instant, draft: &Draft) -> Timeline {
        let scenario = Scenario::given(machine, facts, self.search.catalog.clone(), at);
        simulate(&scenario, &draft.scripts())
    }

    fn facts(&self) -> (GivenFacts, Instant) {
        self.search.facts.get(self.place).cloned().unwrap_or((GivenFacts::default(), Witness::ORDINARY_AT))
    }
}

impl Again for Scenarios<'_> {
    fn again(&self, draft: &Draft, able: bool) -> Pair {
        let (mut facts, at) = self.facts();
        if able {
            facts.has_address.clear();
            facts.opted_out.clear();
            facts.quota_used.clear();
            facts.breaker_open.clear();
        }
        Pair {
            old: self.run(self.search.old, &facts, at, draft),
            new: self.run(self.search.new, &facts, at, draft),
        }
    }

    fn lacks(&self) -> bool {
        self.search.facts.get(self.place).is_some_and(|(facts, _)| {
            facts.has_address.values().any(|has| !has)
                || !facts.opted_out.is_empty()
                || !facts.quota_used.is_empty()
                || !facts.breaker_open.is_empty()
        })
    }

    fn channels(&self) -> &[Channel] {
        &self.cares.channels
    }
}

/// An attempt of a run: under which key, the how-manieth of it, and when.
struct Attempt<'a> {
    provider: &'a str,
    channel: Channel,
    at_ms: i64,
}

fn attempts(timeline: &Timeline) -> impl Iterator<Item = Attempt<'_>> {
    timeline.timeline.iter().filter(|entry| entry.what == "send").filter_map(|entry| {
        Some(Attempt { provider: entry.provider.as_deref()?, channel: entry.channel, at_ms: entry.at_ms })
    })
}

impl Scenarios<'_> {
    /// The scripts that say one thing more, of what at least one of the runs asks.
    fn longer(&self, draft: &Draft, pair: &Pair, cut: &mut Cut) -> Vec<Draft> {
        let mut next = Vec::new();
        let mut fresh: Vec<String> = Vec::new();
        let mut asked: BTreeMap<&str, usize> = BTreeMap::new();
        // Of each attempt that was accepted: when, counted from it, something happened in either run.
        let mut clocks: BTreeMap<(&str, usize), BTreeSet<i64>> = BTreeMap::new();
        for timeline in [&pair.old, &pair.new] {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            for attempt in attempts(timeline) {
                let Some(key) = draft.key_of(attempt.provider, attempt.channel) else {
                    for key in self.cares.keys(attempt.provider, attempt.channel) {
                        if !fresh.contains(&key) {
                            fresh.push(key);
                        }
                    }
                    continue;
                };
                let count = counts.entry(key).or_default();
                let steps = draft.keys.get(key).map_or(0, Vec::len);
                let step = (*count).min(steps.saturating_sub(1));
                *count += 1;
                let later = timeline.timeline.iter().map(|entry| entry.at_ms).chain([timeline.end.at_ms]);
                let later = later.filter(|at| *at > attempt.at_ms).map(|at| at - attempt.at_ms);
                clocks.entry((key, step)).or_default().extend(later);
            }
            for (key, count) in counts {
                let most = asked.entry(key).or_default();
                *most = (*most).max(count);
            }
        }
        for key in fresh {
            for answer in &self.cares.answers {
                let mut draft = draft.clone();
                draft.keys.insert(key.clone(), vec![Said::plain(*answer)]);
                next.push(draft);
            }
        }
        for ((key, step), clocks) in &clocks {
            cut.receipts |= self.receipts(draft, key, *step, clocks, &mut next);
        }
        for (key, asked) in asked {
            let steps = draft.keys.get(key).map_or(0, Vec::len);
            if asked > steps && steps >= self.cares.steps_max {
                cut.answers = self.cares.steps_max;
            }
            if asked <= steps || steps >= self.cares.steps_max {
                continue;
            }
            for answer in &self.cares.answers {
                let mut draft = draft.clone();
                draft.keys.entry(key.to_owned()).or_default().push(Said::plain(*answer));
                next.push(draft);
            }
        }
        next
    }

    /// A confirmation, or a failure, of an attempt that was accepted, between any two things that happen
    /// after it. Whether there could be a further one that is not tried.
    fn receipts(
        &self,
        draft: &Draft,
        key: &str,
        step: usize,
        clocks: &BTreeSet<i64>,
        next: &mut Vec<Draft>,
    ) -> bool {
        let Some(said) = draft.keys.get(key).and_then(|steps| steps.get(step)) else { return false };
        let ended = said.then.iter().any(|(receipt, _)| *receipt == Receipt::Failed);
        if !said.answer.is_taken() || ended {
            return false;
        }
        let last = said.then.last().map_or(Span::ZERO, |(_, after)| *after);
        let level = said.then.iter().map(|(receipt, _)| match receipt {
            Receipt::Confirmed(level) => *level,
            Receipt::Failed => Confirmation::Accepted,
        });
        let level = level.max().unwrap_or(Confirmation::Accepted);
        let confirms = self.cares.confirms.get(key);
        let levels = self.cares.levels.iter().copied().filter(|next| *next > level);
        let mut levels = levels.filter(|next| confirms.is_some_and(|known| known.contains(next)));
        if said.then.len() >= RECEIPTS_MAX {
            // What was confirmed fails no more; it may be confirmed further.
            let later = clocks.iter().any(|clock| Span::from_ms(*clock) > last);
            return later && levels.next().is_some();
        }
        let receipts: Vec<Receipt> = levels.map(Receipt::Confirmed).chain([Receipt::Failed]).collect();
        let mut from = last;
        for clock in clocks.iter().map(|ms| Span::from_ms(*ms)).filter(|clock| *clock > last) {
            if let Some(after) = between(from, clock) {
                for receipt in &receipts {
                    let mut draft = draft.clone();
                    if let Some(said) = draft.keys.get_mut(key).and_then(|steps| steps.get_mut(step)) {
                        said.then.push((*receipt, after));
                    }
                    next.push(draft);
                }
            }
            from = clock;
        }
        false
    }
}

impl Cares {
    fn of(search: &Search<'_>) -> Cares {
        let stages = || {
            let of = |machine: &'_ Machine| {
                machine.channel_stages().map(|(_, stage)| stage.clone()).collect::<Vec<_>>()
            };
            [of(search.old), of(search.new)]
        };
        let mut channels: BTreeSet<Channel> = BTreeSet::new();
        let mut several: BTreeSet<Channel> = BTreeSet::new();
        let mut levels = BTreeSet::from([Confirmation::Delivered]);
        let mut routes_fail_over = false;
        let mut doubt = false;
        let mut retries = 0;
        for stages in stages() {
            let mut names: BTreeMap<Channel, BTreeSet<String>> = BTreeMap::new();
            for stage in &stages {
                channels.insert(stage.channel);
                levels.extend(stage.until);
                doubt |= stage.on_doubt != OnDoubt::Wait;
                retries = retries.max(usize::try_from(stage.retry.times).unwrap_or(usize::MAX - 2));
                let route = search.catalog.route(stage.channel, &stage.route);
                routes_fail_over |= route.len() > 1;
                routes_fail_over |= matches!(stage.route, Route::Failover(_) | Route::Weighted(_));
                names.entry(stage.channel).or_default().extend(route.into_iter().map(|p| p.name));
            }
            several
                .extend(names.into_iter().filter(|(_, names)| names.len() != 1).map(|(channel, _)| channel));
        }
        for machine in [search.old, search.new] {
            levels.extend(machine.guard_words().filter_map(|word| match word {
                Word::Confirmed(level) => Some(level),
                Word::Quota | Word::Quiet | Word::OptedOut | Word::Tripped => None,
            }));
        }
        levels.remove(&Confirmation::Accepted);
        let answers = Answer::ALL.into_iter().filter(|answer| match answer {
            // Where nobody fails over, that is a refusal like another.
            Answer::AccountFault => routes_fail_over,
            // Awaited like an acceptance, unless a policy says otherwise.
            Answer::InDoubt => doubt,
            _ => true,
        });
        let plain = channels.iter().copied().filter(|channel| !several.contains(channel)).collect();
        let mut cares = Cares {
            channels: channels.into_iter().collect(),
            plain,
            levels,
            answers: answers.collect(),
            steps_max: (retries + 2).clamp(STEPS.0, STEPS.1),
            confirms: BTreeMap::new(),
        };
        for stages in stages() {
            let mut own: BTreeMap<String, BTreeSet<Confirmation>> = BTreeMap::new();
            for stage in &stages {
                for provider in search.catalog.route(stage.channel, &stage.route) {
                    for key in [provider.name.as_str(), stage.channel.word()] {
                        own.entry(key.to_owned()).or_default().extend(&provider.confirms);
                    }
                }
            }
            // A script that one of the two could not play shows nothing.
            for (key, confirms) in own {
                match cares.confirms.get_mut(&key) {
                    Some(known) => known.retain(|level| confirms.contains(level)),
                    None => _ = cares.confirms.insert(key, confirms),
                }
            }
        }
        cares
    }

    /// What a script may call an attempt: by its channel where that has one provider, else by both.
    fn keys(&self, provider: &str, channel: Channel) -> Vec<String> {
        let word = channel.word().to_owned();
        if self.plain.contains(&channel) || provider == word {
            return vec![word];
        }
        vec![provider.to_owned(), word]
    }
}

impl Found {
    pub(super) fn level(&self) -> Level {
        self.difference.level
    }
}
