//! Whether the bounds of a policy are met by some script.

use serde::Serialize;

use crate::language::facts_text::GivenFacts;
use crate::machine::bounds::{Bounds, bounds};
use crate::machine::catalog::Catalog;
use crate::machine::effect::Was;
use crate::machine::event::What;
use crate::machine::plan::Machine;
use crate::model::{Instant, Outcome};

use super::space::FactSpace;
use super::walk::{Care, Go, Seen, Visitor, Walk};
use super::witness::Witness;

/// How many states are looked at for it, under the facts given and again under all.
const STATES_MAX: usize = 60_000;

/// The bounds of a policy, each with the most that was come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetBounds {
    /// Attempts accepted or in doubt.
    pub sends: Met,
    /// The latest start of a send, in milliseconds; none where nothing bounds it.
    pub duration_ms: Option<Met>,
    /// What sends cost, in millionths; none without prices.
    pub cost_micros: Option<Met>,
    /// Whether everything was looked at that could come closer to what is not met.
    pub complete: bool,
}

/// One bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Met {
    /// The bound.
    pub max: i64,
    /// The most that was come to.
    pub most: i64,
    /// Whether that is the bound, or for a time the instant before it, as where a time of day that is waited for
    /// was missed by that much.
    pub met: bool,
    /// A shortest script to it, with its facts.
    #[serde(skip)]
    pub witness: Option<Witness>,
}

/// The least by which two instants differ, in milliseconds.
const INSTANT_MS: i64 = 1;

impl Met {
    fn of(max: i64) -> Met {
        Met { max, most: 0, met: max <= 0, witness: None }
    }

    fn take(&mut self, came_to: i64, near: i64, seen: &Seen<'_>) {
        if came_to > self.most && !self.met {
            self.most = came_to;
            self.met = came_to + near >= self.max;
            self.witness = Some(seen.witness());
        }
    }
}

impl MetBounds {
    fn of(bounds: &Bounds) -> MetBounds {
        MetBounds {
            sends: Met::of(i64::from(bounds.sends_max)),
            duration_ms: bounds.duration_max_ms.map(Met::of),
            cost_micros: bounds.cost_max.map(|cost| Met::of(cost.micros)),
            complete: true,
        }
    }

    /// Whether every bound is met.
    #[must_use]
    pub fn all_met(&self) -> bool {
        self.sends.met && [&self.duration_ms, &self.cost_micros].into_iter().flatten().all(|met| met.met)
    }
}

impl Visitor for MetBounds {
    fn see(&mut self, seen: &Seen<'_>, _: u64) -> Go {
        // Bounds do not cover providers that ask to be left alone.
        if matches!(seen.what, What::Answered { outcome: Outcome::RateLimited, .. }) {
            return Go::Leave;
        }
        self.sends.take(i64::from(seen.instance.sends()), 0, seen);
        if let Some(cost) = &mut self.cost_micros {
            cost.take(seen.instance.cost_micros(), 0, seen);
        }
        if let Some(duration) = &mut self.duration_ms
            && seen.transitions.iter().any(|transition| transition.event == Was::Called)
        {
            duration.take(seen.after.ms(), INSTANT_MS, seen);
        }
        if self.all_met() { Go::Stop } else { Go::On(0) }
    }
}

/// Looks for scripts that meet the bounds: under these facts at that instant, and where one is not met
/// so, under all facts and instants that can make a difference.
#[must_use]
pub fn meet_bounds(machine: &Machine, catalog: &Catalog, facts: &GivenFacts, at: Instant) -> MetBounds {
    let mut met = MetBounds::of(&bounds(machine, catalog));
    let care = Care { amounts: true, time: true, ..Care::default() };
    let fixed = FactSpace::fixed(at);
    let given = Walk::over(machine, catalog, &fixed).given(facts.clone()).caring(care.clone());
    let walked = given.states_max(STATES_MAX).run(&mut met);
    if met.all_met() {
        return met;
    }
    let space = FactSpace::of(machine, catalog);
    let all = Walk::over(machine, catalog, &space).caring(care).states_max(STATES_MAX).run(&mut met);
    met.complete = met.all_met() || (walked.complete && all.complete && space.gaps().is_empty());
    met
}
