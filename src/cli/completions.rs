//! `spine completions SHELL`.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, CliError, terminal};

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  spine completions bash > /etc/bash_completion.d/spine")]
pub(crate) struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let mut out = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "spine", &mut out);
        terminal::print(&String::from_utf8_lossy(&out))?;
        Ok(ExitCode::SUCCESS)
    }
}
