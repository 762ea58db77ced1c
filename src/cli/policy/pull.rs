//! `spine policy pull`: from a server into files.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;

use crate::cli::operator::block_on;
use crate::cli::table::Format;
use crate::cli::{CliError, FOUND, terminal};
use crate::language::{Policy, parse, with_comment_above};
use crate::machine::catalog::Catalog;

use super::against::{Remote, Server, Side};
use super::files::load_any;
use super::set::PolicySet;

/// Fetch the policies of a server into files
///
/// A policy goes to `NAME.policy`, or to where a file of the folder holds it. A file that somebody
/// changed since it was fetched or published is left as it is, unless --force is given. The key stands
/// in SPINE_KEY and needs `read`. Exit codes: 0 fetched, 1 something was left as it is, 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    SPINE_KEY=sk_live_… spine policy pull --url https://spine.example.org --to policies/\n  \
    spine policy pull reminder --url http://127.0.0.1:8080 --stdout")]
pub(crate) struct Args {
    /// The policies, by name; all without one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The server's address
    #[arg(long, value_name = "URL", env = "SPINE_URL")]
    url: String,
    /// The folder of the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Overwrite what was changed here
    #[arg(long)]
    force: bool,
    /// Show what would be written, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the text of the one named policy to the standard output instead
    #[arg(long, conflicts_with_all = ["to", "force", "dry_run", "format"])]
    stdout: bool,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum What {
    /// The file is new.
    New,
    /// The file had an older version.
    Updated,
    /// The file had been changed, and --force was given.
    Overwritten,
    /// The file has this text.
    AsItWas,
    /// The file had been changed.
    Left,
}

#[derive(Serialize)]
struct Done {
    name: String,
    version: u32,
    path: String,
    what: What,
}

/// Where a policy stands in a file.
struct Here {
    path: PathBuf,
    place: Place,
    /// Whether others stand beside it.
    is_one_of_several: bool,
    text: String,
}

/// The bytes of a policy in a text: all of them, where it is a bare strategy.
struct Place {
    at: Range<usize>,
    /// Where the comment right above it begins.
    above: usize,
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let server = Server::at(&self.url)?;
        let remote = block_on(async { Ok(server.policies().await?) })?;
        let wanted = self.wanted(&remote, &server.url)?;
        if self.stdout {
            let [one] = wanted.as_slice() else {
                return Err(CliError::Refused("`--stdout` goes with one name".to_owned()));
            };
            terminal::print(&one.source)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (here, catalog) = (here(&self.to)?, Catalog::default());
        let published = Side::published(&remote, &server.url, &catalog);
        let mut done = Vec::new();
        for policy in wanted {
            done.push(self.one(&server, policy, &here, &published)?);
        }
        match self.format {
            Format::Json => terminal::print_json(&json!({
                "url": server.url, "dry_run": self.dry_run, "policies": done,
            }))?,
            Format::Human => terminal::print(&told(&done, self.dry_run))?,
        }
        let left = done.iter().any(|done| done.what == What::Left);
        Ok(if left { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }

    fn wanted<'a>(&self, remote: &'a [Remote], url: &str) -> Result<Vec<&'a Remote>, CliError> {
        if self.names.is_empty() {
            return Ok(remote.iter().collect());
        }
        let missing: Vec<&str> = self
            .names
            .iter()
            .map(String::as_str)
            .filter(|name| remote.iter().all(|policy| policy.name != **name))
            .collect();
        if !missing.is_empty() {
            let missing = crate::language::words::listed(missing, "or");
            return Err(CliError::Refused(format!("`{url}` has no policy {missing}")));
        }
        Ok(remote.iter().filter(|policy| self.names.contains(&policy.name)).collect())
    }

    fn one(
        &self,
        server: &Server,
        policy: &Remote,
        here: &BTreeMap<String, Here>,
        published: &Side,
    ) -> Result<Done, CliError> {
        let compiled = published.set.policies.iter().find(|p| p.name == policy.name);
        let [there, _] = Place::of(&policy.source, compiled).texts(&policy.source);
        let (path, what, text) = match here.get(&policy.name) {
            None => (self.to.join(format!("{}.policy", policy.name)), What::New, policy.source.clone()),
            Some(here) => {
                // What else stands around a policy makes no other one of it, nor does a comment above it that the
                // server, having its text from an older program, does not know.
                let is_same = here.place.texts(&here.text).contains(&there);
                let what = if is_same || here.text.trim() == policy.source.trim() {
                    What::AsItWas
                } else if self.was_published(server, &policy.name, here)? {
                    What::Updated
                } else if self.force {
                    What::Overwritten
                } else {
                    What::Left
                };
                (here.path.clone(), what, here.with(policy, there))
            }
        };
        // Something that is no policy file of this name, or does not compile, may stand there.
        let taken = what == What::New && path.exists();
        let what = match (taken, self.force) {
            (true, false) => What::Left,
            (true, true) => What::Overwritten,
            (false, _) => what,
        };
        if !self.dry_run && matches!(what, What::New | What::Updated | What::Overwritten) {
            write(&path, &text)?;
        }
        Ok(Done {
            name: policy.name.clone(),
            version: policy.version,
            path: path.display().to_string(),
            what,
        })
    }

    /// Whether some version has this text: then nobody changed it here.
    fn was_published(&self, server: &Server, name: &str, here: &Here) -> Result<bool, CliError> {
        let versions = block_on(async { Ok(server.versions(name).await?) })?;
        let texts = match here.is_one_of_several {
            true => here.place.texts(&here.text),
            false => [here.text.trim(); 2],
        };
        Ok(versions.iter().any(|version| texts.contains(&version.source.trim())))
    }
}

impl Place {
    fn of(source: &str, policy: Option<&Policy>) -> Place {
        match policy.filter(|_| !parse(source).bare) {
            Some(policy) => {
                Place { at: policy.at.clone(), above: with_comment_above(source, &policy.at).start }
            }
            None => Place { at: 0..source.len(), above: 0 },
        }
    }

    /// The policy's text with the comment above it, and without.
    fn texts<'s>(&self, source: &'s str) -> [&'s str; 2] {
        [self.above, self.at.start].map(|start| source.get(start..self.at.end).unwrap_or(source).trim())
    }
}

impl Here {
    /// The file with the server's text in the place of its own.
    fn with(&self, policy: &Remote, there: &str) -> String {
        if !self.is_one_of_several {
            return policy.source.clone();
        }
        let own = match parse(&policy.source).bare {
            true => format!("policy {} {{\n{}\n}}", policy.name, policy.source.trim_end()),
            false => there.to_owned(),
        };
        // A text without a comment leaves the one that stands here.
        let start = if own.starts_with('#') { self.place.above } else { self.place.at.start };
        let (before, after) = (self.text.get(..start), self.text.get(self.place.at.end..));
        format!("{}{own}{}", before.unwrap_or_default(), after.unwrap_or_default())
    }
}

/// The policies of a folder's files, by name.
fn here(folder: &Path) -> Result<BTreeMap<String, Here>, CliError> {
    if !folder.is_dir() {
        return Ok(BTreeMap::new());
    }
    let set = PolicySet::around(load_any(folder)?, &Catalog::default());
    let mut found = BTreeMap::new();
    for (place, policy) in set.policies.iter().enumerate() {
        let Some(file) = set.file_of.get(place).and_then(|file| set.files.get(*file)) else { continue };
        let here = Here {
            path: PathBuf::from(&file.path),
            place: Place::of(&file.text, Some(policy)),
            is_one_of_several: set.is_one_of_several(place),
            text: file.text.clone(),
        };
        found.entry(policy.name.clone()).or_insert(here);
    }
    Ok(found)
}

/// Writes a file whole, or not at all.
fn write(path: &Path, text: &str) -> Result<(), CliError> {
    let fault = |source| CliError::Read { path: path.to_owned(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(fault)?;
    }
    let beside = path.with_extension("policy.new");
    // A policy out of a larger file comes without the end of its last line.
    let end = if text.ends_with('\n') { "" } else { "\n" };
    std::fs::write(&beside, format!("{text}{end}")).map_err(fault)?;
    std::fs::rename(&beside, path).map_err(fault)
}

fn told(done: &[Done], dry_run: bool) -> String {
    let mut out = String::new();
    for Done { name, version, path, what } in done {
        let word = match (what, dry_run) {
            (What::New, _) => "new",
            (What::Updated, _) => "updated",
            (What::Overwritten, _) => "overwritten",
            (What::AsItWas, _) => "as it was",
            (What::Left, _) => "changed",
        };
        let left = if *what == What::Left {
            ", which was changed here and is left; --force overwrites it"
        } else {
            ""
        };
        out.push_str(&format!("{word:<11}  {name}@{version}  {path}{left}\n"));
    }
    if done.is_empty() {
        out.push_str("the server has no policy\n");
    } else if dry_run {
        out.push_str("\nnothing was written\n");
    }
    out
}
