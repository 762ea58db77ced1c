//! `spine policy …`: the tools for those who write policies.

mod against;
pub(crate) mod catalog;
mod changes;
mod check;
mod chosen;
mod diff;
mod explain;
mod faults;
pub(crate) mod files;
mod fmt;
mod graph;
mod prove;
mod pull;
mod push;
mod replay;
mod rule;
mod set;
pub(crate) mod settings;
mod simulate;
pub(crate) mod suites;
mod test;

use super::commands;

commands! {
    /// What can be done with policies.
    PolicyCommand {
        Check(check::Args),
        Fmt(fmt::Args),
        Rule(rule::Args),
        Simulate(simulate::Args),
        Test(test::Args),
        Prove(prove::Args),
        Explain(explain::Args),
        Graph(graph::Args),
        Diff(diff::Args),
        Replay(replay::Args),
        Push(push::Args),
        Pull(pull::Args),
    }
}

/// Check policies and see what they do
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine policy check policies/reminder.policy")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: PolicyCommand,
}

impl Args {
    pub(crate) fn run(self) -> Result<std::process::ExitCode, super::CliError> {
        self.command.run()
    }
}
