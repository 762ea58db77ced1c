//! `spine policy graph`: a policy's state machine.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, terminal};
use crate::machine::{SvgOptions, Theme, draw, svg};

use super::chosen::{Chosen, Which};

/// Draw a policy's state machine
///
/// Exit codes: 0 drawn; 1 the policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy graph --format svg policies/reminder.policy > reminder.svg\n  \
    spine policy graph policies/reminder.policy | dot -Tpng > reminder.png\n  \
    spine policy graph --format mermaid policies/reminder.policy")]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// How it is drawn
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,
    /// The colours of an SVG
    #[arg(long, value_enum, default_value_t = Colours::Auto)]
    theme: Colours,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Colours {
    /// Light, or dark where the reader prefers that
    Auto,
    /// Light
    Light,
    /// Dark
    Dark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture for people: each stage a box, each group a frame
    Svg,
    /// For Graphviz
    Dot,
    /// For Mermaid, as in Markdown files
    Mermaid,
    /// One object of nodes and edges; its shape is kept
    Json,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let machine = match self.which.choose(self.format == Format::Json)? {
            Chosen::Policy(machine, _) => machine,
            Chosen::Faults(code) => return Ok(code),
        };
        let drawing = draw(&machine);
        let theme = match self.theme {
            Colours::Auto => Theme::Auto,
            Colours::Light => Theme::Light,
            Colours::Dark => Theme::Dark,
        };
        match self.format {
            Format::Svg => terminal::print(&svg(&machine, &SvgOptions { theme }))?,
            Format::Dot => terminal::print(&drawing.to_dot(machine.name()))?,
            Format::Mermaid => terminal::print(&drawing.to_mermaid())?,
            Format::Json => terminal::print_json(&drawing)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
