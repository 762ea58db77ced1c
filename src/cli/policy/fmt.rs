//! `spine policy fmt`: one style.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::{CliError, FOUND, terminal};
use crate::language::{STDIN, format_or_faults};
use crate::lint::report::{Report, ReportedFinding, Style, human_one};
use crate::lint::{FileFindings, SourceFile};

use super::changes::{unified, write_whole};
use super::files::load;

/// Write policies in one style: only blanks change, never a word, a comment or a meaning
///
/// Files that differ are written anew; `-` is read from the standard input and written to the
/// standard output. A file with faults is left as it is, and its faults are told; the others are
/// formatted all the same.
///
/// Exit codes: 0 formatted, or nothing to do; 1 a file has faults, or would change under `--check` or
/// `--diff`; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine policy fmt policies/\n  \
    spine policy fmt --check policies/\n  \
    echo 'whatsapp   then sms after 30s' | spine policy fmt -")]
pub(crate) struct Args {
    /// Files, folders (all `.policy` files below them) or `-` for the standard input
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write nothing; name the files that would change
    #[arg(long)]
    check: bool,
    /// Write nothing; show what would change
    #[arg(long)]
    diff: bool,
    /// How it is told what was done
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The names of files, or what changes in them
    Human,
    /// One object; its shape is kept
    Json,
}

/// What came of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It was in the style.
    Unchanged,
    /// It was written anew, or would be.
    Changed,
    /// It has faults, and was left as it is.
    Faulty,
}

#[derive(Debug, Serialize)]
struct Outcome {
    path: String,
    state: State,
    /// The faults; empty but where there are some.
    findings: Vec<ReportedFinding>,
    /// What changes; with `--diff` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    /// The new text; of the standard input only.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Serialize)]
struct Outcomes {
    files: Vec<Outcome>,
    summary: Summary,
}

#[derive(Debug, Serialize)]
struct Summary {
    files: usize,
    changed: usize,
    faulty: usize,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let dry = self.check || self.diff;
        let mut files = Vec::new();
        for file in load(&self.paths)? {
            let outcome = self.file(file, dry)?;
            if self.format == Format::Human {
                self.tell(&outcome, dry)?;
            }
            files.push(outcome);
        }
        let count = |state| files.iter().filter(|file| file.state == state).count();
        let summary =
            Summary { files: files.len(), changed: count(State::Changed), faulty: count(State::Faulty) };
        let fails = summary.faulty > 0 || (dry && summary.changed > 0);
        match self.format {
            Format::Human => self.sum_up(&summary, dry),
            Format::Json => terminal::print_json(&Outcomes { files, summary })?,
        }
        Ok(if fails { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }

    fn file(&self, file: SourceFile, dry: bool) -> Result<Outcome, CliError> {
        let SourceFile { path, text: old, .. } = file;
        let is_stdin = path == STDIN;
        let outcome =
            |state, findings, diff, text| Outcome { path: path.clone(), state, findings, diff, text };
        let new = match format_or_faults(&old) {
            Ok(new) => new,
            Err(faults) => {
                let found = [FileFindings {
                    path: path.clone(),
                    source: old,
                    findings: faults,
                    ..Default::default()
                }];
                for (file, fault) in
                    found.iter().flat_map(|file| file.findings.iter().map(move |f| (file, f)))
                {
                    if self.format == Format::Human {
                        terminal::tell(&format!("{}\n", human_one(&path, &file.source, fault, Style::Plain)));
                    }
                }
                return Ok(outcome(State::Faulty, Report::of(&found).findings, None, None));
            }
        };
        let state = if new == old { State::Unchanged } else { State::Changed };
        let diff = self.diff.then(|| unified(&path, &old, &new)).filter(|diff| !diff.is_empty());
        if state == State::Changed && !dry && !is_stdin {
            write_whole(Path::new(&path), &new)?;
        }
        Ok(outcome(state, Vec::new(), diff, (is_stdin && !dry).then_some(new)))
    }

    /// For people, once it is done.
    fn tell(&self, outcome: &Outcome, dry: bool) -> Result<(), CliError> {
        match (outcome.state, &outcome.diff, &outcome.text) {
            (_, Some(diff), _) => terminal::print(&coloured(diff))?,
            (_, _, Some(text)) => terminal::print(text)?,
            (State::Changed, ..) if dry => terminal::print(&format!("{}\n", outcome.path))?,
            _ => {}
        }
        Ok(())
    }

    fn sum_up(&self, summary: &Summary, dry: bool) {
        let only_stdin = self.paths.iter().all(|path| path.as_os_str() == "-");
        let files = |n: usize| format!("{n} {}", if n == 1 { "file" } else { "files" });
        let changed = match (summary.changed, dry) {
            (0, _) => None,
            (n, true) => Some(format!("{} would change", files(n))),
            (n, false) => Some(format!("{} written anew", files(n))),
        };
        let faulty = Some(summary.faulty).filter(|n| *n > 0);
        let faulty = faulty
            .map(|n| format!("{} left alone for {} faults", files(n), if n == 1 { "its" } else { "their" }));
        let unchanged = summary.files - summary.changed - summary.faulty;
        let unchanged = Some(unchanged).filter(|n| *n > 0).map(|n| format!("{} in style", files(n)));
        let told: Vec<String> = [changed, faulty, unchanged].into_iter().flatten().collect();
        if !only_stdin {
            terminal::tell(&told.join(", "));
        }
    }
}

/// A diff with colours where stdout shows them.
fn coloured(diff: &str) -> String {
    use anstyle::{AnsiColor, Style as Colour};
    if !terminal::stdout_has_colour() {
        return diff.to_owned();
    }
    let line = |line: &str| {
        let colour = match line.as_bytes() {
            [b'-', b'-', b'-', ..] | [b'+', b'+', b'+', ..] => Colour::new().bold(),
            [b'-', ..] => AnsiColor::Red.on_default(),
            [b'+', ..] => AnsiColor::Green.on_default(),
            [b'@', ..] => AnsiColor::Cyan.on_default(),
            _ => return format!("{line}\n"),
        };
        format!("{colour}{line}{colour:#}\n")
    };
    diff.lines().map(line).collect()
}
