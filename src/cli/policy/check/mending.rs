//! `--fix` and `--fix --diff`.

use std::path::Path;
use std::process::ExitCode;

use super::Args;
use super::work::{Job, root, tell_stale};
use crate::cli::policy::changes::{unified, write_whole};
use crate::cli::policy::files::in_parallel;
use crate::cli::{CliError, FOUND, terminal};
use crate::language::{Library, STDIN};
use crate::lint::report::{Found, Style, human_report};
use crate::lint::{FileFindings, Mended, SourceFile, mend, twice};

impl Args {
    /// Mends every file, and writes what is left or, for `--diff`, what would change.
    pub(super) fn mend(&self, job: &Job, library: &(dyn Library + Sync)) -> Result<ExitCode, CliError> {
        let sift = |found: &mut FileFindings| {
            if let Some((path, baseline)) = &job.baseline {
                self.known(job, path, baseline, std::slice::from_mut(found));
            }
        };
        let mended = in_parallel(&job.files, |file| mend(file, library, &job.settings, &sift));
        let changed: Vec<(&SourceFile, &Mended)> =
            job.files.iter().zip(&mended).filter(|(file, mended)| file.text != mended.found.source).collect();
        let count = mended.iter().map(|mended| mended.mended).sum();
        if self.diff {
            return self.show(job, &changed, &mended);
        }
        let mut stdin = job.files.iter().find(|file| file.path == STDIN).map(|file| file.text.clone());
        for (file, mended) in changed {
            match file.path == STDIN {
                true => stdin = Some(mended.found.source.clone()),
                false => overwrite(file, &mended.found.source)?,
            }
        }
        let mut left: Vec<FileFindings> = mended.into_iter().map(|mended| mended.found).collect();
        // A change may have given a policy its name.
        let named = left
            .iter()
            .zip(&job.files)
            .map(|(left, file)| twice::named(&left.source, file.bare_name.as_deref()));
        twice::tell(&job.files, named.collect(), &mut left);
        if let Some((path, baseline)) = &job.baseline {
            tell_stale(path, &self.known(job, path, baseline, &mut left));
        }
        let Some(text) = stdin else { return self.write(job, &left, Some(count)) };
        terminal::print(&text)?;
        let found = Found { mended: Some(count), ..self.found(job, &left) };
        terminal::tell(human_report(&found).trim_end());
        Ok(self.code(&found))
    }

    fn found<'a>(&self, job: &'a Job, files: &'a [FileFindings]) -> Found<'a> {
        let denies_warnings = self.deny == Some(super::Deny::Warnings);
        let root = root(&job.working);
        Found { root, denies_warnings, style: Style::Plain, ..Found::of(files, &job.settings) }
    }

    fn show(
        &self,
        job: &Job,
        changed: &[(&SourceFile, &Mended)],
        mended: &[Mended],
    ) -> Result<ExitCode, CliError> {
        let mut out = String::new();
        for (file, mended) in changed {
            out.push_str(&unified(file.path.trim_start_matches("./"), &file.text, &mended.found.source));
        }
        terminal::print(&out)?;
        let count: usize = mended.iter().map(|mended| mended.mended).sum();
        let left: Vec<FileFindings> = mended.iter().map(|mended| mended.found.clone()).collect();
        let words = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        terminal::tell(&format!(
            "spine: {} in {} would be mended; {} would be left",
            words(count, "finding"),
            words(changed.len(), "file"),
            words(left.iter().map(|file| file.findings.len()).sum(), "finding")
        ));
        match changed.is_empty() {
            true => Ok(self.code(&self.found(job, &left))),
            false => Ok(ExitCode::from(FOUND)),
        }
    }
}

/// Writes a mended text, unless somebody else has changed the file meanwhile.
fn overwrite(file: &SourceFile, text: &str) -> Result<(), CliError> {
    let path = Path::new(&file.path);
    let now =
        std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    if now != file.text {
        return Err(CliError::Refused(format!(
            "`{}` was changed while it was looked at; try again",
            file.path
        )));
    }
    write_whole(path, text)
}
