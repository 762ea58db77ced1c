//! `spine policy diff`: what changes for the people who are told.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::operator::block_on;
use crate::cli::{CliError, FOUND, terminal};
use crate::language::Policy;
use crate::lint::report::{Style, human as findings};
use crate::machine::catalog::Catalog;
use crate::workbench::diff::{
    Allow, AllowFault, Effort, Level, PolicyDiff, Report, Reported, allows, compare, human, json, markdown,
};

use super::against::{Place, Server, Side};
use super::catalog;
use super::faults::faulty;

/// Show what changes for the people who are told
///
/// Both versions run under the same facts and the same answers of providers; each difference comes with
/// a shortest script that shows it. Levels, from least to most: none, wording (what callers and the audit
/// read), timing, routing (another channel or provider, fewer messages), more-sends. A comment
/// `# spine: allow timing -- why` in the new text accepts one change. Exit codes: 0 nothing is above
/// --allow, 1 something is, or the new version has faults, 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy diff old.policy new.policy\n  \
    spine policy diff policies/ --against git:main --allow timing\n  \
    spine policy diff policies/ --against https://spine.example.org --format markdown")]
pub(crate) struct Args {
    /// The old and the new version, each a file or a folder; with --against the new one alone
    #[arg(value_name = "OLD NEW", num_args = 1..=2, required = true)]
    paths: Vec<PathBuf>,
    /// The old version: `git:REVISION`, the address of a server (its key in SPINE_KEY), or a path
    #[arg(long, value_name = "WHERE")]
    against: Option<String>,
    /// Up to which level changes pass
    #[arg(long, value_name = "LEVEL", default_value_t = Level::None)]
    allow: Level,
    /// The file whose `catalog:` says which providers there are
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// How many pairs of runs are looked at in a policy that changed
    #[arg(long, value_name = "N", default_value_t = Effort::DEFAULT.runs_max)]
    effort: usize,
    /// How it is shown
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

/// How differences are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// One object; its shape is kept
    Json,
    /// A comment for a pull request
    Markdown,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let catalog = catalog::load(self.catalog.as_deref())?;
        let (old, new) = match (&self.against, self.paths.as_slice()) {
            (None, [old, new]) => (Place::Path(old.clone()), new),
            (Some(place), [new]) => (Place::from(place.as_str()), new),
            (None, _) => {
                return Err(CliError::Refused(
                    "two versions are compared: name the old and the new one, or the old one by `--against`"
                        .to_owned(),
                ));
            }
            (Some(_), _) => {
                return Err(CliError::Refused(
                    "with `--against` the new version alone is named beside it".to_owned(),
                ));
            }
        };
        let (path, new) = (new, Side::files(new, &catalog)?);
        let old = side(&old, path, &new, &catalog)?;
        let faults = new.set.faults();
        if !faults.is_empty() {
            return faulty(&faults, self.format == Format::Json);
        }
        let faults = old.set.faults();
        if !faults.is_empty() {
            terminal::tell(findings(&faults, Style::Plain).trim_end());
            terminal::tell(
                "spine: what does not compile in the old version is compared as if it were not there",
            );
        }
        let effort = Effort { runs_max: self.effort.max(1), ..Effort::DEFAULT };
        let mut report = between(&old, &new, &catalog, effort, self.allow);
        report.catalog = self.catalog.as_ref().map(|path| path.display().to_string());
        match self.format {
            Format::Human => terminal::print(&human(&report))?,
            Format::Json => terminal::print_json(&json(&report))?,
            Format::Markdown => terminal::print(&markdown(&report))?,
        }
        Ok(if report.fails() { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }
}

fn side(place: &Place, path: &Path, new: &Side, catalog: &Catalog) -> Result<Side, CliError> {
    match place {
        Place::Path(path) => Side::files(path, catalog),
        Place::Git(revision) => Side::revision(revision, path, catalog),
        Place::Server(url) => {
            let server = Server::at(url)?;
            let remote = block_on(async { Ok(server.policies().await?) })?;
            // Nothing is ever deleted on a server: what it alone has does not change.
            Ok(Side::beside(&new.set.policies, &remote, &server.url, catalog))
        }
    }
}

/// What differs between two sides, with what the new text accepts.
pub(crate) fn between(old: &Side, new: &Side, catalog: &Catalog, effort: Effort, allowed: Level) -> Report {
    // One file against another is one policy against another, whatever the files are called.
    let renamed = lone_bare(old, new);
    let before: Vec<Policy> = match &renamed {
        Some(policy) => vec![policy.clone()],
        None => old.set.policies.clone(),
    };
    let mut diffs = compare(&before, &new.set.policies, catalog, effort);
    let faults = accept(&mut diffs, new);
    let policies = diffs.into_iter().map(|diff| {
        let was = diff.was.clone().unwrap_or_else(|| diff.name.clone());
        let was =
            if renamed.is_some() { old.set.policies.first().map_or(was, |p| p.name.clone()) } else { was };
        Reported { old: old.origin(&was), new: new.origin(&diff.name), diff }
    });
    Report { policies: policies.collect(), allowed, faults, catalog: None }
}

/// The one old policy under the name of the one new one, where both are bare strategies, which have the
/// names of their files.
fn lone_bare(old: &Side, new: &Side) -> Option<Policy> {
    let bare = |side: &Side| match (side.set.policies.as_slice(), side.set.files.as_slice()) {
        ([policy], [file]) if crate::language::parse(&file.text).bare => Some(policy.clone()),
        _ => None,
    };
    let (from, to) = (bare(old)?, bare(new)?);
    Some(Policy { name: to.name, ..from })
}

/// Hands each comment to its policy: the one that it stands in, else the next, else the last.
fn accept(diffs: &mut [PolicyDiff], new: &Side) -> Vec<(String, AllowFault)> {
    let mut faults = Vec::new();
    for (place, file) in new.set.files.iter().enumerate() {
        let (found, wrong) = allows(&file.text);
        faults.extend(wrong.into_iter().map(|fault| (file.path.clone(), fault)));
        let own: Vec<&Policy> = new
            .set
            .policies
            .iter()
            .zip(&new.set.file_of)
            .filter(|(_, of)| **of == place)
            .map(|(policy, _)| policy)
            .collect();
        let whose = |allow: &Allow| {
            let next = own.iter().find(|policy| policy.at.end > allow.at);
            next.or(own.last()).map(|policy| policy.name.clone())
        };
        for policy in &own {
            let of: Vec<&Allow> =
                found.iter().filter(|allow| whose(allow).as_ref() == Some(&policy.name)).collect();
            if let Some(diff) = diffs.iter_mut().find(|diff| diff.name == policy.name) {
                let unused = diff.accept(of);
                faults.extend(unused.into_iter().map(|fault| (file.path.clone(), fault)));
            }
        }
    }
    faults
}
