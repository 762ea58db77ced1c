#![expect(clippy::expect_used, reason = "a world that cannot be set up has nothing to show")]
//! Lets many histories happen in a simulated world, and looks after each whether what must always hold
//! held: `cargo run --release --example simulate -- --histories 1000000`.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use clap::Parser;
use simulation::cases;
use simulation::checks::Check;
use simulation::coverage::Coverage;
use simulation::history::History;
use simulation::mutants::Mutant;
use simulation::occurred;

// That of the program itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many runs a failing history is shrunk by at most.
const SHRINK_TRIES: u32 = 2_000;
/// After how many histories it is told how far it has come.
const PROGRESS: u64 = 10_000;

#[derive(Parser)]
struct Arguments {
    /// How many histories.
    #[arg(long, default_value_t = 10_000)]
    histories: u64,
    /// The seed of the first; each after it has the next.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// On how many nodes at most, which share a store where there may be several.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3))]
    nodes: u64,
    /// How many at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Go on after a failure, and count.
    #[arg(long)]
    keep_going: bool,
    /// The histories by name, each under so many seeds; with `--mutant`, which of them find it.
    #[arg(long)]
    cases: bool,
    /// Break this on purpose, and look how many histories it takes to find it; `all` for each in turn.
    #[arg(long)]
    mutant: Option<String>,
    /// Of the histories by name only those whose name holds this.
    #[arg(long, default_value = "")]
    only: String,
    /// Tell the story of the first history, whether it fails or not; with `--cases`, of each.
    #[arg(long)]
    story: bool,
}

struct Totals {
    coverage: Coverage,
    commits: u64,
    calls: u64,
    failed: Vec<u64>,
}

/// A check by its name, and what must always hold that it belongs to.
fn shown(check: Check) -> String {
    format!("{}, of {}", check.name(), simulation::invariant(check.invariant()))
}

/// Looks how many histories it takes to find what is broken on purpose.
fn mutants(name: &str, arguments: &Arguments) -> ExitCode {
    let chosen: Vec<_> =
        Mutant::all().into_iter().filter(|mutant| name == "all" || mutant.name() == name).collect();
    if chosen.is_empty() {
        let names: Vec<_> = Mutant::all().iter().map(|mutant| mutant.name()).collect();
        eprintln!("there is no `{name}`; there are all, {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut missed = 0;
    for mutant in &chosen {
        if arguments.cases {
            match mutant.found_by_name(arguments.histories) {
                Some((name, seeds, check)) => {
                    println!("{:<24} found by `{name}` after {seeds} seeds: {}", mutant.name(), shown(check))
                }
                None => println!("{:<24} not found by name", mutant.name()),
            }
            continue;
        }
        if mutant.needs_nodes() && arguments.nodes < 2 {
            println!("{:<24} needs several nodes", mutant.name());
            continue;
        }
        match mutant.found_after(arguments.seed, arguments.nodes, arguments.histories) {
            Some((after, check)) => {
                println!("{:<24} found after {after:>6} histories: {}", mutant.name(), shown(check));
                if arguments.story {
                    let history = History::of(arguments.seed.wrapping_add(after - 1), arguments.nodes);
                    println!("{}", simulation::explained(&history, Some(*mutant), SHRINK_TRIES));
                }
            }
            None => {
                println!("{:<24} NOT FOUND by {} histories", mutant.name(), arguments.histories);
                missed += 1;
            }
        }
    }
    ExitCode::from(u8::from(missed > 0))
}

/// The histories by name, each under many seeds and twice: the same both times.
fn by_name(arguments: &Arguments) -> ExitCode {
    let mut failed = 0;
    for case in cases::all().into_iter().filter(|case| case.name.contains(&arguments.only)) {
        let history = |place| History { seed: arguments.seed.wrapping_add(place), ..case.history.clone() };
        if arguments.story {
            let named = |mutant: &Mutant| Some(mutant.name()) == arguments.mutant.as_deref();
            let mutant = Mutant::all().into_iter().find(named);
            let outcome = simulation::happen(&history(0), mutant, true, &mut Coverage::default());
            println!("{}: {}\n{}", case.name, case.about, outcome.story);
            failed += usize::from(!outcome.broken.is_empty());
            continue;
        }
        let mut occurred = 0;
        let fails = (0..arguments.histories).map(history).find(|history| {
            let run = || simulation::happen(history, None, false, &mut Coverage::default());
            let (once, twice) = (run(), run());
            occurred += u64::from(occurred::occurred(case.name, &once.happened));
            !once.broken.is_empty() || once.trace != twice.trace
        });
        match fails {
            None => {
                println!("{}: held under {} seeds, took place in {occurred}", case.name, arguments.histories);
            }
            Some(history) => {
                failed += 1;
                let story = simulation::explained(&history, None, SHRINK_TRIES);
                println!("{}: {}\n{story}", case.name, case.about);
            }
        }
    }
    ExitCode::from(u8::from(failed > 0))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.cases && (arguments.story || arguments.mutant.is_none()) {
        return by_name(&arguments);
    }
    if arguments.story && arguments.mutant.is_none() {
        let outcome = simulation::happen(
            &History::of(arguments.seed, arguments.nodes),
            None,
            true,
            &mut Coverage::default(),
        );
        println!("{}", outcome.story);
        return ExitCode::from(u8::from(!outcome.broken.is_empty()));
    }
    if let Some(name) = &arguments.mutant {
        return mutants(name, &arguments);
    }
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let totals =
        Mutex::new(Totals { coverage: Coverage::default(), commits: 0, calls: 0, failed: Vec::new() });
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                let (mut coverage, mut commits, mut calls) = (Coverage::default(), 0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    if place >= arguments.histories {
                        break;
                    }
                    let seed = arguments.seed.wrapping_add(place);
                    let outcome =
                        simulation::happen(&History::of(seed, arguments.nodes), None, false, &mut coverage);
                    commits += outcome.commits;
                    calls += outcome.calls as u64;
                    if !outcome.broken.is_empty() {
                        let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                        totals.failed.push(seed);
                        eprintln!("seed {seed} fails: {}", outcome.broken[0].what);
                        if !arguments.keep_going {
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    if place > 0 && place % PROGRESS == 0 {
                        let seconds = began.elapsed().as_secs_f64();
                        eprintln!("{place} histories, {:.0} a second", place as f64 / seconds);
                    }
                }
                let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
                totals.coverage.merge(&coverage);
                totals.commits += commits;
                totals.calls += calls;
            });
        }
    });
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let done = next.load(Ordering::Relaxed).min(arguments.histories);
    let seconds = began.elapsed().as_secs_f64();
    print!("{}", totals.coverage.shown());
    println!("never reached: {}", totals.coverage.missing().join(", "));
    println!(
        "{done} histories in {seconds:.1} s ({:.2} ms each and thread): {} messages, {} commits, {} calls, {} failures",
        seconds * 1_000.0 * arguments.threads as f64 / done.max(1) as f64,
        totals.coverage.messages,
        totals.commits,
        totals.calls,
        totals.failed.len()
    );
    let Some(first) = totals.failed.first() else { return ExitCode::SUCCESS };
    println!("{}", simulation::explained(&History::of(*first, arguments.nodes), None, SHRINK_TRIES));
    ExitCode::from(1)
}
