//! `spine policy prove`: decides sentences about everything that can happen.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, FOUND, terminal};
use crate::machine::explore::STATES_MAX;
use crate::workbench::prove::{Proved, Sentence, Verdict, human, json, prove};

use super::suites::{ENDING, Found, load};

/// Decide the `never:` and `always:` sentences of test files, over all that can happen
///
/// Exit codes: 0 every sentence holds; 1 one is broken, or could not be decided within the limits, or a
/// policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy prove policies/\n  \
    spine policy prove --format json policies/reminder.test.yaml\n\n\
    Sentences in a test file:\n  \
    never: send sms when quota.sms is used\n  \
    always: send or end within 15m")]
pub(crate) struct Args {
    /// Test files, policy files (with the tests beside them) or folders (with all below them)
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// How many states are looked at for one sentence before it is given up
    #[arg(long, value_name = "NUMBER", default_value_t = STATES_MAX)]
    states_max: usize,
    /// The file whose `catalog:` says which providers there are; without it every channel has one of
    /// its own name
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each sentence, and what breaks one that does not hold
    Human,
    /// One object; its shape is kept
    Json,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let suites = match load(&self.paths, self.catalog.as_deref(), self.format == Format::Json)? {
            Found::Suites(suites) => suites,
            Found::Faults(code) => return Ok(code),
        };
        let (mut sentences, mut wrong) = (Vec::new(), Vec::new());
        for suite in &suites.suites {
            let Some(known) = suites.policy_of(suite) else { continue };
            let mut faults = String::new();
            for invariant in &suite.invariants {
                match Sentence::read(invariant, &known.machine, &suites.catalog) {
                    Ok(sentence) => sentences.push((suite, known, invariant, sentence)),
                    Err(message) => {
                        let at = invariant.at;
                        faults.push_str(&format!("\n  {}:{}: {message}", at.line, at.column));
                    }
                }
            }
            if !faults.is_empty() {
                wrong.push(format!("`{}` cannot be used:{faults}", suite.path));
            }
        }
        if !wrong.is_empty() {
            return Err(CliError::Refused(wrong.join("\n")));
        }
        if sentences.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|path| format!("`{}`", path.display())).collect();
            return Err(CliError::Refused(format!(
                "there is nothing to prove in {}; write for example `never: send sms when quota.sms is used` into a `{ENDING}` file",
                paths.join(", ")
            )));
        }
        let proved: Vec<Proved> = sentences
            .into_iter()
            .map(|(suite, known, invariant, sentence)| Proved {
                path: suite.path.clone(),
                policy: suite.policy.clone(),
                policy_path: known.path.clone(),
                is_one_of_several: known.is_one_of_several,
                invariant: invariant.clone(),
                proof: prove(&sentence, &known.machine, &suites.catalog, self.states_max),
            })
            .collect();
        let catalog = self.catalog.as_ref().map(|path| path.display().to_string());
        match self.format {
            Format::Human => terminal::print(&human(&proved, catalog.as_deref()))?,
            Format::Json => terminal::print_json(&json(&proved, catalog.as_deref()))?,
        }
        let holds = proved.iter().all(|one| one.proof.verdict == Verdict::Holds);
        Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }
}
