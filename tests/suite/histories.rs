//! Histories in a simulated world: many by seed, some by name, and some with the world broken on purpose.

#[path = "../simulation/mod.rs"]
mod simulation;

use simulation::coverage::Coverage;
use simulation::history::History;
use simulation::mutants::Mutant;
use simulation::{cases, explained, happen, invariant, occurred};

/// How many histories by seed there are on up to so many nodes. Those by name are on as many as they need.
const HISTORIES: &[(u64, u64)] = &[(1, 500), (3, 500)];
/// The first seed.
const SEED: u64 = 1;
/// How many runs a failing history is made shorter by.
const SHRINK_TRIES: u32 = 150;
/// How many at once.
const THREADS: usize = 2;

#[test]
fn what_must_always_hold_holds_after_every_history() {
    let histories =
        || HISTORIES.iter().flat_map(|(nodes, count)| (0..*count).map(|place| (SEED + place, *nodes)));
    let parts: Vec<_> = (0..THREADS)
        .map(|part| {
            std::thread::spawn(move || {
                let mut coverage = Coverage::default();
                let failed = histories().skip(part).step_by(THREADS).find(|(seed, nodes)| {
                    let history = History::of(*seed, *nodes);
                    !happen(&history, None, false, &mut coverage).broken.is_empty()
                });
                (coverage, failed)
            })
        })
        .collect();
    let mut all = Coverage::default();
    for part in parts {
        let (mut coverage, failed) = part.join().unwrap();
        if let Some((seed, nodes)) = failed {
            let history = History::of(seed, nodes);
            let story = happen(&history, None, true, &mut coverage).story;
            println!("seed {seed} on up to {nodes} nodes fails:\n{story}");
            panic!("{}", explained(&history, None, SHRINK_TRIES));
        }
        all.merge(&coverage);
    }
    assert_eq!(all.missing(), [""; 0], "what the histories do not reach\n{}", all.shown());
}

/// Seeds of which the history once failed, on up to how many nodes, and what was wrong.
const ONCE_FAILED: &[(u64, u64, &str)] = &[
    (2_590, 1, "a place in a quota was taken at a start before all who had one had it again"),
    (92, 3, "what followed from a send in doubt took the place in a quota that this send has"),
    (239, 1, "a receipt for a call in doubt left it without an outcome for ever"),
    (20_228, 3, "the duty of an endpoint was taken and, where the next could not be, nobody told it"),
    (892, 3, "the duty of an endpoint that could not be let go stayed with a node that did nothing for it"),
    (45_444, 3, "the duty of an endpoint was let go while events were still being told to it"),
    (52_807, 3, "a scope whose opening failed was opened once more while what the first had begun went on"),
    (136_944, 3, "a person's reply was taken for one to a call under way, and not to what was sent before"),
    (
        184_024,
        3,
        "a message was told twice that a call was lost, and what came of its first repetition ended the second",
    ),
    (194_814, 3, "a node ended its lease while another part of it still waited for the tries of an endpoint"),
    (
        149_439,
        3,
        "a store that closed noted when it is to be opened again before all that it had taken was written",
    ),
    (322_108, 3, "a reply that named no send counted for a call under way, which was then refused"),
    (718_361, 3, "a reply that named no send counted for a call that was to be cleared up, and was not made"),
    (1_291, 3, "a node that stopped ended its lease while it was still telling an endpoint of events"),
];

#[test]
fn what_once_failed_holds() {
    for (seed, nodes, about) in ONCE_FAILED {
        let history = History::of(*seed, *nodes);
        let outcome = happen(&history, None, false, &mut Coverage::default());
        assert!(outcome.broken.is_empty(), "{about}\n{}", explained(&history, None, SHRINK_TRIES));
    }
}

#[test]
fn a_seed_is_one_history() {
    for (seed, nodes) in
        [3, 17, 40, 41, 77, 95, 123, 222, 400, 512].into_iter().zip([1, 3].into_iter().cycle())
    {
        let run = || happen(&History::of(seed, nodes), None, true, &mut Coverage::default());
        let (once, twice) = (run(), run());
        let differs = once.story.lines().zip(twice.story.lines()).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!((once.trace, once.commits, once.calls), (twice.trace, twice.commits, twice.calls));
    }
}

/// Under how many schedules each history by name is looked at.
const SCHEDULES: u64 = 20;
/// Under how many of them it comes to what it is about, at least: the others look at what is near to it.
const OCCURRED_MIN: u64 = 5;

#[test]
fn faults_that_others_had_do_no_harm() {
    for case in cases::all() {
        let mut occurred = 0;
        // The same steps under many schedules.
        for seed in 0..SCHEDULES {
            let history = History { seed, ..case.history.clone() };
            let outcome = happen(&history, None, false, &mut Coverage::default());
            if !outcome.broken.is_empty() {
                panic!("{}: {}\n{}", case.name, case.about, explained(&history, None, SHRINK_TRIES));
            }
            occurred += u64::from(occurred::occurred(case.name, &outcome.happened));
        }
        println!("{occurred:>3} of {SCHEDULES}: {}", case.name);
        assert!(
            occurred >= OCCURRED_MIN,
            "{}: it came to that under {occurred} of {SCHEDULES} schedules",
            case.name
        );
    }
}

/// How many histories find each mutant at most, in the tests.
const MUTANT_HISTORIES: u64 = 150;
/// How many find one that needs several nodes, where none by name does.
const MUTANT_HISTORIES_OF_NODES: u64 = 1_500;
/// How many seeds of each history by name find those that need several nodes. By seed they take up to
/// some thousand histories.
const MUTANT_SEEDS: u64 = 5;

#[test]
fn what_is_broken_on_purpose_is_found() {
    for mutant in Mutant::all() {
        let name = mutant.name();
        let found = if mutant.needs_nodes() {
            let by_name = mutant.found_by_name(MUTANT_SEEDS).map(|(_, _, check)| check);
            by_name.or_else(|| mutant.found_after(SEED, 3, MUTANT_HISTORIES_OF_NODES).map(|(_, check)| check))
        } else {
            mutant.found_after(SEED, 1, MUTANT_HISTORIES).map(|(_, check)| check)
        };
        let own = mutant.found_by().iter();
        let own: Vec<_> =
            own.map(|check| format!("{} ({})", check.name(), invariant(check.invariant()))).collect();
        let Some(check) = found else { panic!("{name} is not found by any of: {}", own.join("; ")) };
        println!("{name:<24} found by: {}", check.name());
    }
}
