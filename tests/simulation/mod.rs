//! A deterministic world in which the program runs: the same engine and webhooks, on a store in memory
//! and a clock that shows what the world says, with a gateway that counts and nodes that die.
//!
//! A seed is a history, always the same. After each, what must always hold is looked for in the rows.

mod callers;
pub(crate) mod cases;
mod check;
pub(crate) mod checks;
mod core;
pub(crate) mod coverage;
mod edges;
mod gateway;
pub(crate) mod history;
pub(crate) mod mutants;
pub(crate) mod occurred;
mod random;
mod run;
mod scene;
mod shrink;
mod story;
mod told;
mod weather;
mod world;

use check::Broken;
use coverage::Coverage;
use history::History;
use mutants::Mutant;
use occurred::Happened;
use world::World;

/// What became of a history.
pub(crate) struct Outcome {
    pub(crate) broken: Vec<Broken>,
    /// The same for the same history.
    pub(crate) trace: u64,
    pub(crate) story: String,
    pub(crate) commits: u64,
    pub(crate) calls: usize,
    pub(crate) happened: Happened,
}

/// Lets a history happen and looks at what is left.
pub(crate) fn happen(
    history: &History,
    mutant: Option<Mutant>,
    told: bool,
    coverage: &mut Coverage,
) -> Outcome {
    let mut world = World::new(history.clone(), mutant, told);
    let ended = world.run();
    world.end();
    let broken = check::check(&world, ended, coverage);
    let story = if told { story::told(history, &world.core.story(), &broken) } else { String::new() };
    Outcome {
        broken,
        trace: world.core.trace(),
        story,
        commits: world.weather.written(|written| written.commits),
        calls: world.gateway.calls().len(),
        happened: world.happened(),
    }
}

/// A failing history, as short as it becomes within so many tries, as a story.
pub(crate) fn explained(history: &History, mutant: Option<Mutant>, tries_max: u32) -> String {
    let failure = |history: &History| {
        let outcome = happen(history, mutant, false, &mut Coverage::default());
        outcome.broken.first().map(|broken| broken.check)
    };
    let Some(first) = failure(history) else { return "it does not fail".to_owned() };
    let short = shrink::shrunk(history, tries_max, |less| failure(less) == Some(first));
    happen(&short, mutant, true, &mut Coverage::default()).story
}

/// What must always hold, by its number.
pub(crate) const fn invariant(number: u8) -> &'static str {
    story::name(number)
}
