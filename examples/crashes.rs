//! Crashes of the real program, very many of them.
//!
//! ```sh
//! cargo run --release --example crashes -- --crashes 1000
//! cargo run --release --example crashes -- --crashes 1000 --postgres
//! cargo run --release --example crashes -- --crashes 1000 --database-url postgres://…
//! ```
//!
//! Ends with 1 where anything was lost, doubled, or left undelivered.
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
use harness::crashes::{Nodes, on_a_folder};
use harness::database::{Named, On, Server};

#[derive(clap::Parser)]
struct Args {
    /// How many crashes
    #[arg(long, default_value_t = 1_000)]
    crashes: u64,
    /// From which their moments follow
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Three nodes on a PostgreSQL server that is started for this, instead of one node on a folder
    #[arg(long)]
    postgres: bool,
    /// Three nodes on the server that this names, which is not stopped: in a database that is made for this
    /// and taken away again. The role may make roles and databases, and no TLS is spoken
    #[arg(long, value_name = "URL", conflicts_with = "postgres")]
    database_url: Option<String>,
    /// How many nodes there are on PostgreSQL
    #[arg(long, default_value_t = 3)]
    nodes: usize,
}

fn main() -> ExitCode {
    // The program itself is here, too: it is what is killed.
    let command = std::env::args().nth(1).unwrap_or_default();
    if ["serve", "tenant", "key", "audit"].contains(&command.as_str()) {
        return spine::cli::main();
    }
    let args = Args::parse();
    let start = std::time::Instant::now();
    let told = |crash: u64| {
        if crash.is_multiple_of(50) {
            eprintln!("{crash} crashes, {:.0} s", start.elapsed().as_secs_f64());
        }
    };
    let report = harness::runtime().block_on(async {
        if let Some(url) = &args.database_url {
            let named = Named::at(url).await;
            let mut nodes = Nodes::start_on(On::Named(&named), args.nodes).await;
            nodes.crash(args.crashes, args.seed, told).await;
            let report = nodes.count().await;
            named.gone().await;
            return report;
        }
        if !args.postgres {
            return on_a_folder(args.crashes, args.seed, told).await;
        }
        let server = Server::start().await;
        let mut nodes = Nodes::start(&server, args.nodes).await;
        nodes.crash(args.crashes, args.seed, told).await;
        nodes.count().await
    });
    print!("{report}");
    println!("{} crashes in {:.0} s", report.crashes(), start.elapsed().as_secs_f64());
    ExitCode::from(u8::from(!report.counted.is_nothing()))
}
