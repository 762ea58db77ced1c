//! What changes for the people who are told, from one version of a policy to another.
//!
//! Asked of the machines, not of the texts: both run under the same facts and scripts, and what differs
//! is given with a shortest script that shows it. `docs/comparing.md` says what each level means.

mod allow;
mod compare;
mod draft;
mod group;
mod level;
mod pairs;
mod race;
mod report;
mod search;
mod tables;

use serde::Serialize;

use crate::language::Policy;
use crate::machine::catalog::Catalog;
use crate::machine::explore::{FactSpace, Witness};
use crate::machine::{Bounds, Machine, Timeline, bounds, compile};
use crate::model::Channel;

pub use allow::{Allow, AllowFault, allows};
pub use level::Level;
pub use report::{Origin, Report, Reported, human, json, markdown};

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Pairs of runs of one policy.
    pub runs_max: usize,
    /// Choices of facts of one policy.
    pub facts_max: usize,
}

impl Effort {
    /// A second or so for a policy that changed.
    pub const DEFAULT: Effort = Effort { runs_max: 4_000, facts_max: 2_000 };
}

/// What differs in one policy.
#[derive(Debug, Clone)]
pub struct PolicyDiff {
    /// Its name; of one that is gone, the old one.
    pub name: String,
    /// Its name before, where it was another.
    pub was: Option<String>,
    /// What became of it.
    pub kind: Kind,
    /// What differs, the highest level first.
    pub changes: Vec<Change>,
    /// How far the old one can go.
    pub old_bounds: Option<Bounds>,
    /// How far the new one can go.
    pub new_bounds: Option<Bounds>,
    /// How many pairs of runs were looked at.
    pub runs: usize,
    /// Why there may be differences that were not found; empty where every script was looked at, or
    /// none needed to be.
    pub gave_up: Vec<String>,
}

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Both have it, and nothing was found that differs.
    Same,
    /// Both have it.
    Changed,
    /// Only the new ones have it.
    Added,
    /// Only the old ones have it.
    Removed,
}

/// One difference.
#[derive(Debug, Clone)]
pub struct Change {
    /// How much it means to people.
    pub level: Level,
    /// What differs, in a sentence.
    pub what: String,
    /// What follows from it under other scripts.
    pub also: Option<String>,
    /// What shows it; `None` where no run does.
    pub shown: Option<Shown>,
    /// How else it shows, under other facts and scripts.
    pub more: Vec<Way>,
    /// Why it was accepted in the new text.
    pub accepted: Option<String>,
}

/// A further way in which a change shows.
#[derive(Debug, Clone)]
pub struct Way {
    /// What differs, in a sentence.
    pub what: String,
    /// What follows from it under other scripts.
    pub also: Option<String>,
    /// What shows it.
    pub shown: Shown,
}

/// A run of each of the two under the same facts and script.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Under what.
    pub witness: Witness,
    /// What the old one does.
    pub old: Timeline,
    /// What the new one does.
    pub new: Timeline,
}

impl Change {
    fn told(level: Level, what: String) -> Change {
        Change { level, what, also: None, shown: None, more: Vec::new(), accepted: None }
    }
}

impl PolicyDiff {
    /// The highest level of what was not accepted.
    #[must_use]
    pub fn level(&self) -> Level {
        let open = self.changes.iter().filter(|change| change.accepted.is_none());
        open.map(|change| change.level).max().unwrap_or(Level::None)
    }

    /// Whether every script was looked at, or none needed to be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.gave_up.is_empty()
    }
}

/// What differs between two sets of policies: in the order of the new ones, then those that are gone.
#[must_use]
pub fn compare(old: &[Policy], new: &[Policy], catalog: &Catalog, effort: Effort) -> Vec<PolicyDiff> {
    let machines = |policies: &[Policy]| -> Vec<Machine> { policies.iter().map(compile).collect() };
    let (old, new) = (machines(old), machines(new));
    let pairs = pairs::matched(&old, &new);
    let mut out = Vec::new();
    for (place, machine) in new.iter().enumerate() {
        match pairs.iter().find(|(_, to)| *to == place).and_then(|(from, _)| old.get(*from)) {
            Some(before) => out.push(one(before, machine, catalog, effort)),
            None => out.push(alone(machine, Kind::Added, catalog)),
        }
    }
    let gone = old.iter().enumerate().filter(|(place, _)| pairs.iter().all(|(from, _)| from != place));
    out.extend(gone.map(|(_, machine)| alone(machine, Kind::Removed, catalog)));
    out
}

/// What differs between two versions of one policy.
#[must_use]
pub fn one(old: &Machine, new: &Machine, catalog: &Catalog, effort: Effort) -> PolicyDiff {
    let mut diff = PolicyDiff {
        name: new.name().to_owned(),
        was: (old.name() != new.name()).then(|| old.name().to_owned()),
        kind: Kind::Changed,
        changes: tables::changes(old, new, catalog),
        old_bounds: Some(bounds(old, catalog)),
        new_bounds: Some(bounds(new, catalog)),
        runs: 0,
        gave_up: Vec::new(),
    };
    if !old.decides_as(new) {
        run(&mut diff, old, new, catalog, effort);
    }
    diff.changes.sort_by_key(|change| std::cmp::Reverse(change.level));
    if diff.changes.is_empty() {
        diff.kind = Kind::Same;
    }
    diff
}

fn run(diff: &mut PolicyDiff, old: &Machine, new: &Machine, catalog: &Catalog, effort: Effort) {
    let space = FactSpace::both(old, new, catalog);
    let (facts, all_facts) = space.choices(effort.facts_max);
    let search = search::Search { old, new, catalog, facts: &facts, runs_max: effort.runs_max };
    let searched = search.run();
    diff.runs = searched.runs;
    let mut found = searched.found;
    // What the caller reads of the end follows from what people are told, where that differs.
    let told = found.iter().any(|f| !f.difference.follows && f.level() > Level::Wording);
    let moved = |f: &search::Found| f.difference.moved.clone().concat();
    let known = |levels: &[Level]| -> Vec<Channel> {
        let known = found.iter().filter(|f| !f.difference.follows && levels.contains(&f.level()));
        known.flat_map(moved).collect()
    };
    let (by_ways, by_time) = (known(&[Level::Routing, Level::MoreSends]), known(&[Level::Timing]));
    found.retain(|f| {
        // An hour of a provider's rest ends at another time where anything does.
        let rests = f.witness.scripts.values().any(|script| script.contains("rate limited"));
        let explained =
            moved(f).iter().all(|channel| by_ways.contains(channel) || rests && by_time.contains(channel));
        !f.difference.follows || if moved(f).is_empty() { !told } else { !explained }
    });
    diff.changes.extend(group::grouped(found));
    if !searched.is_complete {
        diff.gave_up.push(format!(
            "{} pairs of runs were compared, the shortest scripts first; longer ones were not tried",
            searched.runs
        ));
    }
    diff.gave_up.extend(searched.cut.told());
    if !all_facts {
        diff.gave_up
            .push(format!("no more than the {} most ordinary choices of facts were tried", facts.len()));
    }
    diff.gave_up.extend(space.gaps().iter().cloned());
    beyond(diff);
}

/// Where not every script was tried: what the bounds allow and no script showed.
fn beyond(diff: &mut PolicyDiff) {
    let (Some(old), Some(new)) = (diff.old_bounds, diff.new_bounds) else { return };
    let shown = diff.changes.iter().any(|change| change.level == Level::MoreSends);
    if !shown && !diff.is_complete() && new.sends_max > old.sends_max {
        diff.changes.push(Change::told(
            Level::MoreSends,
            format!(
                "at most {} may be sent instead of {}; no script that was tried sends more",
                report::counted(new.sends_max, "message", "messages"),
                old.sends_max
            ),
        ));
    }
}

/// A policy that only one side has.
fn alone(machine: &Machine, kind: Kind, catalog: &Catalog) -> PolicyDiff {
    let reach = bounds(machine, catalog);
    let messages = report::counted(reach.sends_max, "message", "messages");
    let added = kind == Kind::Added;
    let change = if added {
        let what = format!("a policy is added that sends at most {messages}");
        Change::told(Level::MoreSends, what)
    } else {
        let what = "the policy is gone: whoever sends by it is refused, and nobody is told".to_owned();
        Change::told(Level::Routing, what)
    };
    PolicyDiff {
        name: machine.name().to_owned(),
        was: None,
        kind,
        changes: vec![change],
        old_bounds: (!added).then_some(reach),
        new_bounds: added.then_some(reach),
        runs: 0,
        gave_up: Vec::new(),
    }
}
