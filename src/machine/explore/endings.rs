//! Every way in which a policy can end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::machine::instance::ReachedBy;
use crate::machine::plan::Machine;
use crate::machine::simulate::{End, Scenario, simulate};
use crate::model::{Channel, Money, Reason, Status};

use super::space::FactSpace;
use super::walk::{Care, Go, Seen, Visitor, Walk};
use super::witness::Witness;

/// The distinct endings of a policy.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Endings {
    /// One for each status, channel and list of reasons, with a shortest script.
    pub endings: Vec<Ending>,
    /// Whether that is all of them.
    pub complete: bool,
}

/// One way to end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Ending {
    /// A script under which it ends so, a key a provider.
    pub script: BTreeMap<String, String>,
    /// How it ends.
    pub end: End,
    /// Attempts accepted or in doubt.
    pub sends: u32,
    /// What those cost; null without prices.
    pub cost: Option<Money>,
}

/// How many distinct endings are looked for.
const ENDINGS_MAX: usize = 1_000;

/// What tells endings apart.
type Distinct = (Status, Option<Channel>, Vec<(Option<Channel>, Reason, Option<String>)>);

struct Ends<'a> {
    machine: &'a Machine,
    found: BTreeMap<Distinct, (usize, Witness)>,
    complete: bool,
}

impl Visitor for Ends<'_> {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        let Some(ended) = seen.instance.ended().filter(|_| seen.is_last) else { return Go::On(0) };
        let reached_by = match ended.reached_by {
            Some(ReachedBy::Channel(channel)) => Some(channel),
            Some(ReachedBy::Caller) | None => None,
        };
        let reasons = seen.instance.reasons(self.machine).into_iter().map(|reason| {
            let why = (reason.reason == Reason::Otherwise).then_some(reason.detail).flatten();
            (reason.channel, reason.reason, why)
        });
        let distinct = (seen.instance.status(), reached_by, reasons.collect());
        if !self.found.contains_key(&distinct) {
            if self.found.len() >= ENDINGS_MAX {
                self.complete = false;
                return Go::Stop;
            }
            self.found.insert(distinct, (seen.length, seen.witness()));
        }
        Go::On(0)
    }
}

/// Walks every outcome.
#[must_use]
pub fn all_endings(scenario: &Scenario<'_>) -> Endings {
    let space = FactSpace::fixed(scenario.at);
    let care = Care { reasons: true, status: true, ..Care::default() };
    let mut ends = Ends { machine: scenario.machine, found: BTreeMap::new(), complete: true };
    let walked = Walk::of_scenario(scenario, &space).caring(care).run(&mut ends);
    let found = ends.found.into_values().map(|(length, witness)| {
        let timeline = simulate(scenario, &witness.read());
        let (end, sends, cost) = (timeline.end, timeline.sends, timeline.cost);
        (length, Ending { script: witness.scripts, end, sends, cost })
    });
    let mut endings: Vec<_> = found.collect();
    endings.sort_by(|(a, first), (b, second)| {
        (a, &first.end, &first.script).cmp(&(b, &second.end, &second.script))
    });
    let endings = endings.into_iter().map(|(_, ending)| ending).collect();
    Endings { endings, complete: walked.complete && ends.complete }
}
