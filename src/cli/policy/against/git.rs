//! Policy files of a revision, by the `git` of this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::CliError;
use crate::lint::SourceFile;

/// A file of a revision.
pub(super) struct Found {
    pub(super) source: SourceFile,
    /// What prints it.
    pub(super) command: String,
    /// Whether it was asked for, or stands beside what was.
    pub(super) is_wanted: bool,
}

/// The policy files that a revision has at a path and beside it. A path that is not there has none.
pub(super) fn show(revision: &str, path: &Path) -> Result<Vec<Found>, CliError> {
    if path.as_os_str() == "-" {
        return Err(CliError::Refused(
            "the standard input has no revisions; name a file or a folder".to_owned(),
        ));
    }
    let is_folder = path.is_dir();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = if is_folder { path } else { parent.unwrap_or(Path::new(".")) };
    let commit =
        git(folder, &["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])
            .map_err(|why| match why {
                Why::NoGit(why) => {
                    CliError::Refused(format!("cannot run `git`: {why}; install it, or compare files"))
                }
                Why::Said(said) if said.contains("not a git repository") => {
                    CliError::Refused(format!("`{}` is in no git repository", folder.display()))
                }
                Why::Said(_) => CliError::Refused(format!(
                    "git knows no revision `{revision}`; `git branch --all` shows some"
                )),
            })?;
    let commit = commit.trim();
    let failed = |why: Why| CliError::Refused(format!("git cannot show `{revision}`: {why}"));
    let list = git(folder, &["ls-tree", "-r", "-z", "--name-only", commit, "--", "."]).map_err(failed)?;
    let mut found = Vec::new();
    for name in list.split('\0').filter(|name| name.ends_with(".policy")) {
        let below = Path::new(name);
        let whole: PathBuf = folder.join(below);
        let hidden = below.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
        let is_wanted = if is_folder { !hidden } else { path.file_name() == Some(below.as_os_str()) };
        if !is_wanted && below.components().count() > 1 {
            continue;
        }
        let text = git(folder, &["show", &format!("{commit}:./{name}")]).map_err(failed)?;
        let bare_name = below.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let inside = if folder == Path::new(".") {
            String::new()
        } else {
            format!(" -C {}", word(&folder.display().to_string()))
        };
        found.push(Found {
            source: SourceFile { path: format!("{revision}:{}", whole.display()), text, bare_name },
            command: format!("git{inside} show {}", word(&format!("{revision}:./{name}"))),
            is_wanted,
        });
    }
    Ok(found)
}

/// Why git has no answer.
enum Why {
    NoGit(std::io::Error),
    Said(String),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Why::NoGit(error) => write!(f, "{error}"),
            Why::Said(said) => f.write_str(said.trim()),
        }
    }
}

fn git(folder: &Path, args: &[&str]) -> Result<String, Why> {
    // What it says is read, so it says it in one language.
    let output = Command::new("git").arg("-C").arg(folder).args(args).env("LC_ALL", "C").output();
    let output = output.map_err(Why::NoGit)?;
    if !output.status.success() {
        return Err(Why::Said(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|_| Why::Said("a file is not UTF-8 text".to_owned()))
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '@' | '~' | '^');
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}
