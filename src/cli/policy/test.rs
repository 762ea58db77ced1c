//! `spine policy test`: runs the test files beside policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::{CliError, FOUND, terminal};
use crate::language::words::quoted;
use crate::lint::report::Style;
use crate::machine::explore::{Part, Parts};
use crate::workbench::coverage::{Coverage, STATES_MAX, reach};
use crate::workbench::generate;
use crate::workbench::report::{CoveredPolicy, Tested, TestedFile, human, json, junit};
use crate::workbench::suite::{self, Suite};

use super::suites::{ENDING, Found, KnownPolicy, Suites, load};

/// Run the tests beside policies, and show what they cover
///
/// Exit codes: 0 every case holds, and enough is covered; 1 a case does not hold, less is covered than
/// `--min` asks for, or a policy has faults; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy test policies/\n  \
    spine policy test --coverage --min 90 policies/\n  \
    spine policy test --run 'quota' --format junit policies/ > report.xml\n  \
    spine policy test --generate policies/reminder.policy")]
pub(crate) struct Args {
    /// Test files, policy files (with the tests beside them) or folders (with all below them)
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Run the cases whose name holds this; `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    run: Option<String>,
    /// Show which states, edges and guard outcomes of the policies no case comes by
    #[arg(long)]
    coverage: bool,
    /// Fail where less is covered, of all policies together; includes `--coverage`
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min: Option<u8>,
    /// Write what happens into the cases whose expectation does not hold, or that have none
    #[arg(long)]
    update: bool,
    /// Write cases for what no case comes by, each the shortest script
    #[arg(long, conflicts_with = "run")]
    generate: bool,
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
    /// A line for each case, and both timelines of one that does not hold
    Human,
    /// One object; its shape is kept
    Json,
    /// For CI servers
    Junit,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let mut suites = match self.load()? {
            Found::Suites(suites) => suites,
            Found::Faults(code) => return Ok(code),
        };
        if self.update && self.update(&suites)? {
            suites = match self.load()? {
                Found::Suites(suites) => suites,
                Found::Faults(code) => return Ok(code),
            };
        }
        if self.generate && self.generate(&suites)? {
            suites = match self.load()? {
                Found::Suites(suites) => suites,
                Found::Faults(code) => return Ok(code),
            };
        }
        let tested = self.tested(&suites)?;
        match self.format {
            Format::Human => {
                let style = if terminal::stdout_has_colour() { Style::Colour } else { Style::Plain };
                terminal::print(&human(&tested, style))?;
            }
            Format::Json => terminal::print_json(&json(&tested))?,
            Format::Junit => terminal::print(&junit(&tested))?,
        }
        Ok(if tested.holds() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }

    fn load(&self) -> Result<Found, CliError> {
        let found = load(&self.paths, self.catalog.as_deref(), self.format == Format::Json)?;
        if let Found::Suites(suites) = &found
            && suites.suites.is_empty()
            && !self.generate
            && !self.covers()
        {
            let paths: Vec<String> = self.paths.iter().map(|path| format!("`{}`", path.display())).collect();
            return Err(CliError::Refused(format!(
                "there is no `{ENDING}` file in {}; write one, or let `--generate` write it",
                paths.join(", ")
            )));
        }
        Ok(found)
    }

    fn covers(&self) -> bool {
        self.coverage || self.min.is_some() || self.generate
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.run.as_ref().is_none_or(|pattern| matches(&pattern.to_lowercase(), &name.to_lowercase()))
    }

    fn tested(&self, suites: &Suites) -> Result<Tested, CliError> {
        let mut tested = Tested {
            covers: self.covers(),
            min: self.min.map(usize::from),
            catalog: self.catalog.as_ref().map(|path| path.display().to_string()),
            ..Tested::default()
        };
        let mut covered: Vec<BTreeSet<Part>> = vec![BTreeSet::new(); suites.policies.len()];
        for suite in &suites.suites {
            let Some(known) = suites.policy_of(suite) else { continue };
            let parts = Parts::of(&known.machine);
            let mut cases = Vec::new();
            for case in suite.cases.iter().filter(|case| self.is_wanted(&case.name)) {
                let run = suite::run(case, &known.machine, &suites.catalog, &parts);
                let place = suites.policies.iter().position(|other| std::ptr::eq(other, known));
                if let Some(covered) = place.and_then(|place| covered.get_mut(place)) {
                    covered.extend(&run.parts);
                }
                cases.push((case.clone(), run));
            }
            if !cases.is_empty() || self.run.is_none() {
                tested.files.push(TestedFile {
                    path: suite.path.clone(),
                    policy: suite.policy.clone(),
                    policy_path: known.path.clone(),
                    is_one_of_several: known.is_one_of_several,
                    cases,
                });
            }
        }
        if let Some(pattern) = self.run.as_ref().filter(|_| tested.files.is_empty()) {
            return Err(CliError::Refused(format!("no case's name holds {}", quoted(pattern))));
        }
        if tested.covers {
            for (known, covered) in
                suites.policies.iter().zip(&covered).filter(|(known, _)| known.is_asked_for)
            {
                let reach = reach(&known.machine, &suites.catalog, STATES_MAX);
                tested.coverage.push(CoveredPolicy {
                    coverage: Coverage::of(&known.policy, &known.machine, covered, &reach),
                    policy: known.policy.clone(),
                    path: known.path.clone(),
                    source: known.source.clone(),
                });
            }
        }
        Ok(tested)
    }

    /// Writes what happened into expectations that do not hold; whether anything was written.
    fn update(&self, suites: &Suites) -> Result<bool, CliError> {
        let mut wrote = false;
        for suite in &suites.suites {
            let Some(known) = suites.policy_of(suite) else { continue };
            let parts = Parts::of(&known.machine);
            let mut text = suite.text.clone();
            let mut updated = 0;
            for (place, case) in suite.cases.iter().enumerate() {
                let run = suite::run(case, &known.machine, &suites.catalog, &parts);
                if run.troubles.is_empty() || !self.is_wanted(&case.name) {
                    continue;
                }
                text = suite::recorded(suite, &text, place, &run.timeline)
                    .map_err(|error| cannot_edit(suite, &error))?;
                updated += 1;
            }
            if updated > 0 {
                write(Path::new(&suite.path), &text)?;
                let cases = if updated == 1 { "case" } else { "cases" };
                terminal::tell(&format!("spine: {updated} {cases} of `{}` now say what happens", suite.path));
                wrote = true;
            }
        }
        Ok(wrote)
    }

    /// Writes cases for what is not covered; whether anything was written.
    fn generate(&self, suites: &Suites) -> Result<bool, CliError> {
        let mut wrote = false;
        for known in suites.policies.iter().filter(|known| known.is_asked_for) {
            let parts = Parts::of(&known.machine);
            let mut covered = BTreeSet::new();
            let own: Vec<&Suite> = suites.suites_of(known).collect();
            for case in own.iter().flat_map(|suite| &suite.cases) {
                covered.extend(suite::run(case, &known.machine, &suites.catalog, &parts).parts);
            }
            let reach = reach(&known.machine, &suites.catalog, STATES_MAX);
            let names: Vec<&str> =
                own.iter().flat_map(|suite| &suite.cases).map(|case| case.name.as_str()).collect();
            let cases =
                generate::cases(&known.policy, &known.machine, &suites.catalog, &covered, &reach, &names);
            if cases.is_empty() {
                continue;
            }
            let path = own.first().map_or_else(|| new_file(known), |suite| PathBuf::from(&suite.path));
            let text = own.first().map(|suite| suite.text.as_str());
            let written = suite::added(text, &known.policy.name, &cases)
                .map_err(|error| CliError::Refused(format!("`{}`: {error}", path.display())))?;
            write(&path, &written)?;
            let count = cases.len();
            let word = if count == 1 { "case" } else { "cases" };
            terminal::tell(&format!("spine: wrote {count} {word} to `{}`", path.display()));
            wrote = true;
        }
        Ok(wrote)
    }
}

fn cannot_edit(suite: &Suite, error: &suite::CannotEdit) -> CliError {
    CliError::Refused(format!("`{}`: {error}", suite.path))
}

/// Where the tests of a policy are written that has none yet: beside it, under its name.
fn new_file(known: &KnownPolicy) -> PathBuf {
    Path::new(&known.path).with_file_name(format!("{}{ENDING}", known.policy.name))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let fault =
        |source: std::io::Error| CliError::Refused(format!("cannot write `{}`: {source}", path.display()));
    std::fs::write(path, text).map_err(fault)
}

/// Whether a name holds a pattern, in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut rest = name;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}
