//! Histories in a simulated world: many by seed, some by name, and some with the world broken on purpose.

#[path = "../simulation/mod.rs"]
mod simulation;

use simulation::coverage::Coverage;
use simulation::history::History;
use simulation::mutants::Mutant;
use simulation::{cases, explained, happen, invariant};

/// How many histories by seed.
const HISTORIES: u64 = 1_000;
/// On how many nodes the histories by seed are; those by name are on as many as they need.
const NODES: u64 = 1;
/// The first seed.
const SEED: u64 = 1;
/// How many runs a failing history is made shorter by.
const SHRINK_TRIES: u32 = 150;
/// How many at once.
const THREADS: u64 = 2;

/// What no history reaches, and why.
const OUT_OF_REACH: &[&str] = &[
    // No adapter has a receipt that says no more than that a send was accepted.
    "receipt_accepted",
];

#[test]
fn what_must_always_hold_holds_after_every_history() {
    let parts: Vec<_> = (0..THREADS)
        .map(|part| {
            std::thread::spawn(move || {
                let mut coverage = Coverage::default();
                let failed = (0..HISTORIES).filter(|place| place % THREADS == part).find(|place| {
                    let history = History::of(SEED + place, NODES);
                    !happen(&history, None, false, &mut coverage).broken.is_empty()
                });
                (coverage, failed)
            })
        })
        .collect();
    let mut all = Coverage::default();
    for part in parts {
        let (mut coverage, failed) = part.join().unwrap();
        if let Some(place) = failed {
            let history = History::of(SEED + place, NODES);
            println!("seed {} fails:\n{}", history.seed, happen(&history, None, true, &mut coverage).story);
            panic!("{}", explained(&history, None, SHRINK_TRIES));
        }
        all.merge(&coverage);
    }
    assert_eq!(all.missing(OUT_OF_REACH), [""; 0], "what the histories do not reach\n{}", all.shown());
}

/// Seeds of which the history once failed, and what was wrong.
#[test]
fn what_once_failed_holds() {
    const SEEDS: &[(u64, &str)] =
        &[(2_590, "a place in a quota was taken at a start before all who had one had it again")];
    for (seed, about) in SEEDS {
        let history = History::of(*seed, 1);
        let outcome = happen(&history, None, false, &mut Coverage::default());
        assert!(outcome.broken.is_empty(), "{about}\n{}", explained(&history, None, SHRINK_TRIES));
    }
}

#[test]
fn a_seed_is_one_history() {
    for seed in [3, 17, 40, 41, 77, 95, 123, 222, 400, 512] {
        let run = || happen(&History::of(seed, NODES), None, true, &mut Coverage::default());
        let (once, twice) = (run(), run());
        let differs = once.story.lines().zip(twice.story.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((once.trace, once.commits, once.calls), (twice.trace, twice.commits, twice.calls));
    }
}

#[test]
fn faults_that_others_had_do_no_harm() {
    for case in cases::all() {
        // The same steps under many schedules.
        for seed in 0..20 {
            let history = History { seed, ..case.history.clone() };
            let outcome = happen(&history, None, false, &mut Coverage::default());
            if !outcome.broken.is_empty() {
                panic!("{}: {}\n{}", case.name, case.about, explained(&history, None, SHRINK_TRIES));
            }
        }
    }
}

/// How many histories find each mutant at most, in the tests.
const MUTANT_HISTORIES: u64 = 150;

#[test]
fn what_is_broken_on_purpose_is_found() {
    for (mutant, invariants) in Mutant::all() {
        if mutant.needs_nodes() {
            continue;
        }
        match mutant.found_after(SEED, NODES, MUTANT_HISTORIES) {
            None => panic!("{} is not found by {MUTANT_HISTORIES} histories", mutant.name()),
            Some((_, broken)) => {
                assert!(invariants.contains(&broken), "{} breaks {}", mutant.name(), invariant(broken));
            }
        }
    }
}
