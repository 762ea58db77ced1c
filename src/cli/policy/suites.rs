//! Policies with the test files beside them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::CliError;
use crate::language::Policy;
use crate::language::words::{near, quoted};
use crate::lint::{SourceFile, check_one, twice};
use crate::machine::catalog::Catalog;
use crate::machine::{Machine, compile};
use crate::workbench::suite::{self, Fault, Suite};

use super::catalog::{self, WithCatalog};
use super::faults::faulty;
use super::files::{Folder, below, names_of, read};

/// How test files end.
pub(crate) const ENDING: &str = ".test.yaml";

/// A policy with its source.
pub(crate) struct KnownPolicy {
    pub(crate) policy: Policy,
    pub(crate) machine: Machine,
    pub(crate) path: String,
    pub(crate) source: String,
    pub(crate) is_one_of_several: bool,
    /// Whether it was asked for: what stands beside a test file for another policy was not.
    pub(crate) is_asked_for: bool,
}

/// Everything that was found at some paths.
pub(crate) struct Suites {
    pub(crate) catalog: Catalog,
    pub(crate) policies: Vec<KnownPolicy>,
    pub(crate) suites: Vec<Suite>,
}

/// What was found, or the exit code of faults in policies, which have been told.
pub(crate) enum Found {
    Suites(Suites),
    Faults(ExitCode),
}

impl Suites {
    /// The policy of a test file: one that was looked for when it was loaded.
    pub(crate) fn policy_of(&self, suite: &Suite) -> Option<&KnownPolicy> {
        let folder = Path::new(&suite.path).parent();
        let named = || self.policies.iter().filter(|known| known.policy.name == suite.policy);
        named().find(|known| Path::new(&known.path).parent() == folder).or_else(|| named().next())
    }

    /// The test files about a policy.
    pub(crate) fn suites_of<'a>(&'a self, known: &'a KnownPolicy) -> impl Iterator<Item = &'a Suite> {
        self.suites
            .iter()
            .filter(move |suite| self.policy_of(suite).is_some_and(|of| std::ptr::eq(of, known)))
    }
}

/// Reads the policies and test files of paths: a test file, a policy file with the tests beside it, or
/// a folder with all below it. Faults in policies are told to people or to programs.
pub(crate) fn load(paths: &[PathBuf], catalog: Option<&Path>, for_programs: bool) -> Result<Found, CliError> {
    let catalog = catalog::load(catalog)?;
    let (mut policy_files, mut test_files): (Vec<PathBuf>, Vec<PathBuf>) = (Vec::new(), Vec::new());
    // Policy files whose policies were not asked for as such.
    let mut beside: Vec<PathBuf> = Vec::new();
    let mut only_of: Vec<PathBuf> = Vec::new();
    for path in paths {
        let meta = std::fs::metadata(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        if meta.is_dir() {
            policy_files.extend(below(path, ".policy")?);
            test_files.extend(below(path, ENDING)?);
        } else if path.to_string_lossy().ends_with(ENDING) {
            test_files.push(path.clone());
            beside.extend(in_folder(&folder, ".policy")?);
        } else {
            policy_files.push(path.clone());
            only_of.extend(in_folder(&folder, ENDING)?);
        }
    }
    let mut all: Vec<(SourceFile, bool)> = Vec::new();
    for (path, is_asked_for) in
        policy_files.iter().map(|path| (path, true)).chain(beside.iter().map(|path| (path, false)))
    {
        let file = read(path)?;
        if !all.iter().any(|(known, _)| same(&known.path, &file.path)) {
            all.push((file, is_asked_for));
        }
    }
    let sources: Vec<SourceFile> = all.iter().map(|(file, _)| file.clone()).collect();
    let folder = Folder::around(&sources);
    let library = WithCatalog { policies: &folder, catalog: &catalog };
    let (mut policies, mut wrong) = (Vec::new(), Vec::new());
    let (compiled, mut findings): (Vec<_>, Vec<_>) =
        sources.iter().map(|file| check_one(file, &library)).unzip();
    twice::tell(&sources, names_of(&sources), &mut findings);
    for (((file, is_asked_for), compiled), findings) in all.iter().zip(compiled).zip(findings) {
        let is_one_of_several = compiled.found > 1;
        for policy in compiled.policies {
            policies.push(KnownPolicy {
                machine: compile(&policy),
                policy,
                path: file.path.clone(),
                source: file.text.clone(),
                is_one_of_several,
                is_asked_for: *is_asked_for,
            });
        }
        if findings.has_errors() {
            wrong.push((findings, *is_asked_for));
        }
    }
    let mut suites = Suites { catalog, policies, suites: Vec::new() };
    let mut faults: Vec<(String, Vec<Fault>)> = Vec::new();
    let mut lost = false;
    for (path, is_of_policy) in
        test_files.iter().map(|path| (path, false)).chain(only_of.iter().map(|path| (path, true)))
    {
        let file = read(path)?;
        if suites.suites.iter().any(|known| same(&known.path, &file.path)) {
            continue;
        }
        match suite::read(&file.path, &file.text) {
            Ok(suite) => {
                let is_known = suites.policies.iter().any(|known| known.policy.name == suite.policy);
                match is_known {
                    true => suites.suites.push(suite),
                    false if is_of_policy => {}
                    false if !wrong.is_empty() => lost = true,
                    false => faults.push((file.path, vec![unknown(&suite, &suites)])),
                }
            }
            // What stands beside a policy that was asked for may be about another one.
            Err(_) if is_of_policy && !file.text.contains(&names(&suites)) => {}
            Err(found) => faults.push((file.path, found)),
        }
    }
    for place in 0..suites.suites.len() {
        let suite = &suites.suites[place];
        if let Some(known) = suites.policy_of(suite) {
            let found = suite::check(suite, &known.machine, &suites.catalog);
            if !found.is_empty() {
                faults.push((suite.path.clone(), found));
            }
        }
    }
    wrong.retain(|(_, is_asked_for)| *is_asked_for || lost);
    if !wrong.is_empty() {
        let wrong: Vec<_> = wrong.into_iter().map(|(findings, _)| findings).collect();
        return Ok(Found::Faults(faulty(&wrong, for_programs)?));
    }
    if !faults.is_empty() {
        let told = faults.iter().map(|(path, faults)| {
            let lines: String = faults.iter().map(|fault| format!("\n  {fault}")).collect();
            format!("`{path}` cannot be used:{lines}")
        });
        return Err(CliError::Refused(told.collect::<Vec<_>>().join("\n")));
    }
    let named: Vec<String> = suites.suites.iter().map(|suite| suite.policy.clone()).collect();
    for known in &mut suites.policies {
        known.is_asked_for |= named.contains(&known.policy.name);
    }
    Ok(Found::Suites(suites))
}

/// The name of the first policy; none of which is in no text.
fn names(suites: &Suites) -> String {
    suites.policies.first().map_or("\0".to_owned(), |known| known.policy.name.clone())
}

fn same(one: &str, other: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("./").unwrap_or(path).to_owned();
    plain(one) == plain(other)
}

pub(crate) fn in_folder(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, CliError> {
    let fault = |source| CliError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.to_string_lossy().ends_with(ending) && path.is_file() {
            found.push(path.strip_prefix("./").map_or(path.clone(), Path::to_owned));
        }
    }
    found.sort();
    Ok(found)
}

fn unknown(suite: &Suite, suites: &Suites) -> Fault {
    let names: Vec<&str> = suites.policies.iter().map(|known| known.policy.name.as_str()).collect();
    let told = match near(&suite.policy, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "a test file stands beside the file of its policy".to_owned(),
    };
    Fault { at: suite.policy_at, message: format!("there is no policy {}; {told}", quoted(&suite.policy)) }
}
