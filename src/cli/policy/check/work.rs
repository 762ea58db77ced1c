//! One check of everything that was named.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::{Args, Deny};
use crate::cli::policy::catalog::{self, WithCatalog};
use crate::cli::policy::changes::write_whole;
use crate::cli::policy::files::{Folder, in_parallel, load_readable};
use crate::cli::policy::settings;
use crate::cli::table::table;
use crate::cli::{COULD_NOT_RUN, CliError, FOUND, terminal};
use crate::language::Library;
use crate::lint::baseline::{Baseline, Known};
use crate::lint::report::{Found, Statistic, Style, Summary, github_summary, statistics};
use crate::lint::settings::Root;
use crate::lint::{FileFindings, Settings, SourceFile, check_by, twice};
use crate::machine::catalog::Catalog;

/// Entries of a baseline that are gone and are told one by one.
const STALE_TOLD_MAX: usize = 10;
/// Folders that a CI service counts paths from, by the variables that name them.
const ROOTS: [&str; 2] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];
/// The variable that names the file of a job's summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// What a check works on.
pub(super) struct Job {
    pub(super) files: Vec<SourceFile>,
    /// Why others cannot be read.
    unread: Vec<CliError>,
    pub(super) settings: Settings,
    pub(super) catalog: Catalog,
    /// Its file; empty where none was given.
    pub(super) catalog_file: String,
    pub(super) baseline: Option<(PathBuf, Baseline)>,
    /// The working folder.
    pub(super) working: String,
}

impl Job {
    /// Reads everything that was named.
    pub(super) fn of(args: &Args) -> Result<Job, CliError> {
        let catalog = catalog::load(args.catalog.as_deref())?;
        let given = args.catalog.is_some().then_some(&catalog);
        let settings = settings::load(args.config.as_deref(), given)?;
        let baseline = match &args.baseline {
            Some(path) if !args.write_baseline => Some((path.clone(), read_baseline(path)?)),
            _ => None,
        };
        let (files, unread) = load_readable(&args.paths)?;
        let working = settings.root.working.clone();
        let catalog_file = args.catalog.as_ref().map(|path| path.to_string_lossy().into_owned());
        Ok(Job {
            files,
            unread,
            settings,
            catalog,
            catalog_file: catalog_file.unwrap_or_default(),
            baseline,
            working,
        })
    }

    /// Checks each file, on all cores.
    fn check(&self, library: &(dyn Library + Sync)) -> Vec<FileFindings> {
        let checked = in_parallel(&self.files, |file| {
            let mut found = check_by(file, library, &self.settings).1;
            // What a run shows, it shows by the same prices.
            for shown in found.findings.iter_mut().filter_map(|finding| finding.counterexample.as_mut()) {
                shown.catalog.clone_from(&self.catalog_file);
            }
            (twice::named(&file.text, file.bare_name.as_deref()), found)
        });
        let (named, mut found): (Vec<_>, Vec<_>) = checked.into_iter().unzip();
        twice::tell(&self.files, named, &mut found);
        found
    }

    /// From where the paths of a baseline count: its own folder.
    pub(super) fn root_of(&self, baseline: &Path) -> Root {
        let whole = std::path::absolute(baseline).unwrap_or_else(|_| baseline.to_owned());
        let folder = whole.parent().map(|folder| folder.to_string_lossy().into_owned());
        Root { working: self.working.clone(), folder: folder.unwrap_or_default() }
    }
}

fn read_baseline(path: &Path) -> Result<Baseline, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => CliError::Refused(format!(
            "there is no baseline `{}` yet; write it by `--write-baseline`",
            path.display()
        )),
        _ => CliError::Read { path: path.to_owned(), source },
    })?;
    Baseline::read(&text).map_err(|error| CliError::Refused(format!("`{}`: {error}", path.display())))
}

impl Args {
    /// Checks once and writes what was found.
    pub(super) fn once(&self) -> Result<ExitCode, CliError> {
        let job = Job::of(self)?;
        let code = self.work(&job)?;
        // What can be read is told all the same.
        job.unread.iter().for_each(|error| terminal::tell(&format!("spine: {error}")));
        Ok(if job.unread.is_empty() { code } else { ExitCode::from(COULD_NOT_RUN) })
    }

    fn work(&self, job: &Job) -> Result<ExitCode, CliError> {
        let folder = Folder::around(&job.files);
        let library = WithCatalog { policies: &folder, catalog: &job.catalog };
        if self.fix {
            return self.mend(job, &library);
        }
        let mut files = job.check(&library);
        if let Some(path) = self.baseline.as_deref().filter(|_| self.write_baseline) {
            return write_baseline(job, path, &files);
        }
        if let Some((path, baseline)) = &job.baseline {
            let stale = self.known(job, path, baseline, &mut files);
            tell_stale(path, &stale);
        }
        self.write(job, &files, None)
    }

    /// Sets aside what is in the baseline; gives what is no longer found.
    pub(super) fn known<'b>(
        &self,
        job: &Job,
        path: &Path,
        baseline: &'b Baseline,
        files: &mut [FileFindings],
    ) -> Vec<&'b Known> {
        let root = job.root_of(path);
        let looked_at: Vec<String> = files.iter().map(|file| root.path_of(&file.path)).collect();
        // A file that has gone was looked at where its folder was.
        let folders: Vec<String> = self
            .paths
            .iter()
            .filter(|path| path.is_dir())
            .map(|path| root.path_of(&path.to_string_lossy()))
            .collect();
        let is_looked_at = |path: &str| {
            looked_at.iter().any(|p| p == path)
                || folders.iter().any(|folder| {
                    folder.is_empty() || folder == &root.folder || path.starts_with(&format!("{folder}/"))
                })
        };
        baseline.apply(files, &|path| root.path_of(path), &is_looked_at)
    }

    /// Writes the report; gives the exit code.
    pub(super) fn write(
        &self,
        job: &Job,
        files: &[FileFindings],
        mended: Option<usize>,
    ) -> Result<ExitCode, CliError> {
        let style = if terminal::stdout_has_colour() { Style::Colour } else { Style::Plain };
        let found = Found {
            root: root(&job.working),
            denies_warnings: self.deny == Some(Deny::Warnings),
            mended,
            style,
            tells_of_fixes: !self.fix,
            ..Found::of(files, &job.settings)
        };
        match (self.statistics, self.format.name) {
            (true, "json") => terminal::print_json(&Counted::of(&found))?,
            (true, _) => terminal::print(&counted(&found))?,
            (false, _) => terminal::print(&(self.format.write)(&found))?,
        }
        if self.format.name == "github" {
            add_summary(&found)?;
        }
        Ok(self.code(&found))
    }

    pub(super) fn code(&self, found: &Found<'_>) -> ExitCode {
        let fails = found.files.iter().flat_map(|file| &file.findings).any(|finding| found.fails(finding));
        match fails && !self.format.is_success_once_written {
            true => ExitCode::from(FOUND),
            false => ExitCode::SUCCESS,
        }
    }
}

/// From where the paths of reports count: the checkout of a CI service, where the working folder lies
/// in one, else the working folder.
pub(super) fn root(working: &str) -> Root {
    let folders = ROOTS.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let around =
        folders.into_iter().find(|folder| folder.is_absolute() && Path::new(working).starts_with(folder));
    let folder = around.map_or_else(|| working.to_owned(), |folder| folder.to_string_lossy().into_owned());
    Root { working: working.to_owned(), folder }
}

fn write_baseline(job: &Job, path: &Path, files: &[FileFindings]) -> Result<ExitCode, CliError> {
    let root = job.root_of(path);
    let baseline = Baseline::of(files, &|path| root.path_of(path));
    write_whole(path, &baseline.text())?;
    let findings = if baseline.len() == 1 { "finding is" } else { "findings are" };
    terminal::tell(&format!("spine: {} {findings} known in `{}`", baseline.len(), path.display()));
    let errors =
        files.iter().flat_map(|file| &file.findings).filter(|f| crate::lint::keeps_from_compiling(f)).count();
    if errors == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    terminal::tell(&format!(
        "spine: {errors} more keep a policy from compiling, which no baseline holds; see `spine policy check`"
    ));
    Ok(ExitCode::from(FOUND))
}

pub(super) fn tell_stale(path: &Path, stale: &[&Known]) {
    if stale.is_empty() {
        return;
    }
    let found = if stale.len() == 1 { "1 finding" } else { &format!("{} findings", stale.len()) };
    let mut text = format!(
        "spine: {found} of the baseline `{}` are gone; write it anew by `--write-baseline`",
        path.display()
    );
    if stale.len() == 1 {
        text = text.replace(" are gone", " is gone");
    }
    for known in stale.iter().take(STALE_TOLD_MAX) {
        text.push_str(&format!("\n  {}: {}: {}", known.path, known.rule, known.message));
    }
    if stale.len() > STALE_TOLD_MAX {
        text.push_str(&format!("\n  and {} more", stale.len() - STALE_TOLD_MAX));
    }
    terminal::tell(&text);
}

/// Adds to the summary of the job, where there is one.
fn add_summary(found: &Found<'_>) -> Result<(), CliError> {
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(());
    };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    let text = format!("{}\n", github_summary(found));
    let written = file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()));
    written.map_err(|source| CliError::WriteFile { path, source })
}

/// `--statistics` as JSON.
#[derive(Debug, Serialize)]
struct Counted {
    statistics: Vec<Statistic>,
    summary: Summary,
}

impl Counted {
    fn of(found: &Found<'_>) -> Counted {
        Counted { statistics: statistics(found.files), summary: Summary::of(found.files) }
    }
}

/// `--statistics` for people.
fn counted(found: &Found<'_>) -> String {
    let all = statistics(found.files);
    if all.is_empty() {
        return "nothing found\n".to_owned();
    }
    let row = |s: &Statistic| {
        let numbers = [s.found, s.files, s.fixable, s.allowed].map(|n| n.to_string());
        numbers.into_iter().chain([s.severity.word().to_owned(), s.rule.clone()]).collect()
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    table(&["FOUND", "FILES", "FIXABLE", "ALLOWED", "SEVERITY", "RULE"], &rows)
}
