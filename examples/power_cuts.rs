//! Power cuts, very many of them.
//!
//! ```sh
//! cargo run --release --example power_cuts -- --cuts 10000
//! ```
//!
//! One run of the program on a disk that remembers what was written and synced; then, for each cut, what
//! the disk would hold, opened by the program again. Ends with 1 where anything acknowledged was lost or
//! anything was half there. `--normal` makes the run with `synchronous=NORMAL`, which must lose.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "made of what the tests are made of, which say what is wrong by panicking"
)]

#[path = "../tests/suite/crash/harness/mod.rs"]
mod harness;

use std::process::ExitCode;

use clap::Parser as _;
use harness::cuts::{Plan, Recording, Syncing};

#[derive(clap::Parser)]
struct Args {
    /// How many cuts
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// From which the cuts follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many messages are sent in the run that is remembered
    #[arg(long, default_value_t = 400)]
    messages: u32,
    /// A run in which the sync of a checkpoint fails, and cuts at its end alone
    #[arg(long)]
    failed_sync: bool,
    /// With `synchronous=NORMAL`, which loses
    #[arg(long)]
    normal: bool,
}

fn main() -> ExitCode {
    // The program itself is here, too: it is what runs on the disk.
    let command = std::env::args().nth(1).unwrap_or_default();
    if ["serve", "tenant", "key"].contains(&command.as_str()) {
        return spine::cli::main();
    }
    let args = Args::parse();
    let syncing = if args.normal { Syncing::Normal } else { Syncing::Full };
    harness::runtime().block_on(async {
        let recording = if args.failed_sync {
            Recording::with_a_failed_checkpoint().await
        } else {
            Recording::make(syncing, args.messages).await
        };
        println!("{recording}; {} cuts, seed {}", args.cuts, args.seed);
        let start = std::time::Instant::now();
        let plan = Plan { cuts: args.cuts, seed: args.seed, asked_each: 4 };
        let told = |cut: u64| {
            if cut.is_multiple_of(500) {
                eprintln!("{cut} cuts, {:.0} s", start.elapsed().as_secs_f64());
            }
        };
        let table = if args.failed_sync {
            recording.cuts_at_the_end(args.cuts).await
        } else {
            recording.cuts(plan, told).await
        };
        print!("{table}");
        let sum = table.sum();
        println!("{} cuts in {:.0} s", sum.cuts, start.elapsed().as_secs_f64());
        ExitCode::from(u8::from(sum.lost + sum.otherwise + sum.faults > 0))
    })
}
