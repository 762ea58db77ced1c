//! `spine policy push`: from files to a server.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::operator::block_on;
use crate::cli::table::Format;
use crate::cli::{CliError, FOUND, terminal};
use crate::language::{Policy, Severity, parse, with_comment_above};
use crate::lint::FileFindings;
use crate::lint::report::{Report, Style, human as findings_for_people};
use crate::workbench::diff::{Effort, Level, human as differences, json as differences_json};

use super::against::{Remote, Server, ServerError, Side};
use super::catalog;
use super::check::Deny;
use super::diff::between;
use super::faults::faulty;
use super::files::{Folder, load};
use super::set::PolicySet;

/// Publish the policies of files on a server
///
/// Checks them, tells what the linter finds, shows what changes for the people who are told, and publishes
/// those whose text differs from what the server has. The key stands in SPINE_KEY and needs `read` and
/// `manage`. Nothing is ever deleted on the server. Exit codes: 0 done, 1 the policies have faults, the server
/// refuses them, a change is above --allow, or there are findings that --deny names; 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    SPINE_KEY=sk_live_… spine policy push policies/ --url https://spine.example.org --dry-run\n  \
    spine policy push reminder.policy --url http://127.0.0.1:8080 --format json")]
pub(crate) struct Args {
    /// Files or folders (all `.policy` files below them)
    #[arg(value_name = "PATH", default_value = ".")]
    paths: Vec<PathBuf>,
    /// The server's address
    #[arg(long, value_name = "URL", env = "SPINE_URL")]
    url: String,
    /// Show what would change, and publish nothing
    #[arg(long)]
    dry_run: bool,
    /// Publish nothing where a change is above this level
    #[arg(long, value_name = "LEVEL", default_value_t = Level::MoreSends)]
    allow: Level,
    /// Publish nothing where there are findings of this severity, besides errors
    #[arg(long, value_enum, value_name = "SEVERITY")]
    deny: Option<Deny>,
    /// The file whose `catalog:` says which providers there are
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of a policy.
#[derive(Serialize)]
struct Done {
    name: String,
    path: String,
    /// `published`, `would_publish` or `as_it_was`.
    what: &'static str,
    /// The version that stands on the server; null where there is none yet.
    version: Option<u32>,
}

/// The part of a file that is a policy's own, as the server keeps it.
fn own_text<'a>(set: &'a PolicySet, place: usize, policy: &Policy) -> &'a str {
    let Some(file) = set.file_of.get(place).and_then(|file| set.files.get(*file)) else { return "" };
    match set.is_one_of_several(place) {
        true => file.text.get(with_comment_above(&file.text, &policy.at)).unwrap_or(&file.text),
        false => &file.text,
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let server = Server::at(&self.url)?;
        let catalog = catalog::load(self.catalog.as_deref())?;
        let files = load(&self.paths)?;
        if let Some(nameless) = files.iter().find(|file| file.bare_name.is_none() && parse(&file.text).bare) {
            return Err(CliError::Refused(format!(
                "the strategy in `{}` has no name to be published under: write `policy NAME {{ … }}` around it, or push it from a file `NAME.policy`",
                nameless.path
            )));
        }
        let remote = block_on(async { Ok(server.policies().await?) })?;
        // What no file holds may be used all the same, where the server has it.
        let folder = Folder::around(&files).and(&Remote::files(&remote, &server.url));
        let set = PolicySet::of(files, &folder, &catalog);
        let faults = set.faults();
        if !faults.is_empty() {
            return faulty(&faults, self.format == Format::Json);
        }
        if let Some(twice) = twice(&set) {
            return Err(CliError::Refused(twice));
        }
        let wanted = differing(&set, &remote);
        let findings = told_of(&set, &wanted);
        let is_denied = self.deny.is_some()
            && findings
                .iter()
                .flat_map(|file| &file.findings)
                .any(|found| found.severity == Severity::Warning);
        let local = Side::of_set(set);
        // A policy of the server that no file holds stays as it is.
        let published = Side::beside(&local.set.policies, &remote, &server.url, &catalog);
        let report = between(&published, &local, &catalog, Effort::DEFAULT, self.allow);
        let human = self.format == Format::Human;
        if human && !wanted.is_empty() {
            terminal::print(&format!("{}\n", differences(&report)))?;
        }
        if human && findings.iter().any(|file| !file.findings.is_empty()) {
            terminal::tell(findings_for_people(&findings, Style::Plain).trim_end());
        }
        let refused = report.fails() || is_denied;
        let publishes = !self.dry_run && !refused && !wanted.is_empty();
        let standing = match publishes {
            false => Ok(Vec::new()),
            true => self.publish(&server, &local.set, &wanted)?,
        };
        let standing = match standing {
            Ok(standing) => standing,
            Err(findings) => {
                match self.format {
                    Format::Json => terminal::print_json(&json!({"url": server.url, "findings": findings}))?,
                    Format::Human => refusal(&findings),
                }
                return Ok(ExitCode::from(FOUND));
            }
        };
        let done = done(&local.set, &remote, &standing, &wanted, publishes);
        match self.format {
            Format::Json => terminal::print_json(&json!({
                "url": server.url, "dry_run": self.dry_run, "ok": !refused, "policies": done,
                "diff": differences_json(&report),
                "findings": serde_json::to_value(Report::of(&findings))?["findings"],
            }))?,
            Format::Human => terminal::print(&told(&done, &server.url))?,
        }
        if is_denied && human {
            terminal::tell(
                "spine: nothing was published: there are warnings, and `--deny warnings` was given",
            );
        } else if refused && human {
            terminal::tell(&format!(
                "spine: nothing was published: `{}` is above `--allow {}`",
                report.level(),
                self.allow
            ));
        }
        Ok(if refused { ExitCode::from(FOUND) } else { ExitCode::SUCCESS })
    }

    /// Publishes file by file, those first whose policies others use; the findings where the server
    /// refuses.
    fn publish(
        &self,
        server: &Server,
        set: &PolicySet,
        wanted: &BTreeSet<String>,
    ) -> Result<Result<Vec<Remote>, Vec<Value>>, CliError> {
        let mut standing = Vec::new();
        for place in order(set) {
            let Some(file) = set.files.get(place) else { continue };
            let inside = set.policies.iter().zip(&set.file_of).filter(|(_, of)| **of == place);
            if !inside.map(|(policy, _)| policy).any(|policy| wanted.contains(&policy.name)) {
                continue;
            }
            let name = parse(&file.text).bare.then(|| file.bare_name.clone()).flatten();
            let published = block_on(async {
                match server.publish(&file.text, name.as_deref()).await {
                    Err(ServerError::Findings(findings)) => Ok(Err(findings)),
                    other => Ok(Ok(other?)),
                }
            })?;
            match published {
                Ok(versions) => standing.extend(versions),
                Err(findings) => return Ok(Err(findings)),
            }
        }
        Ok(Ok(standing))
    }
}

/// What was found in the files of which a policy is to be published.
fn told_of(set: &PolicySet, wanted: &BTreeSet<String>) -> Vec<FileFindings> {
    let is_wanted = |place: usize| {
        let inside = set.policies.iter().zip(&set.file_of).filter(|(_, of)| **of == place);
        inside.map(|(policy, _)| policy).any(|policy| wanted.contains(&policy.name))
    };
    set.findings.iter().enumerate().filter(|(place, _)| is_wanted(*place)).map(|(_, f)| f.clone()).collect()
}

/// A name that two files give.
fn twice(set: &PolicySet) -> Option<String> {
    let file = |place: usize| set.file_of.get(place).and_then(|f| set.files.get(*f)).map(|f| f.path.as_str());
    set.policies.iter().enumerate().find_map(|(place, policy)| {
        let before = set.policies.iter().take(place).position(|known| known.name == policy.name)?;
        Some(format!(
            "`{}` stands in `{}` and in `{}`; a server has one policy of a name: rename one, or push one of the files",
            policy.name,
            file(before)?,
            file(place)?
        ))
    })
}

/// The policies whose text the server does not have, and those that use one of them.
fn differing(set: &PolicySet, remote: &[Remote]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = set
        .policies
        .iter()
        .enumerate()
        .filter(|(place, policy)| {
            let known = remote.iter().find(|remote| remote.name == policy.name);
            known.is_none_or(|known| known.source != own_text(set, *place, policy))
        })
        .map(|(_, policy)| policy.name.clone())
        .collect();
    // All that a policy uses is named in it, nested ones too.
    let users = set.policies.iter().filter(|policy| policy.uses.iter().any(|used| names.contains(used)));
    let users: Vec<String> = users.map(|policy| policy.name.clone()).collect();
    names.extend(users);
    names
}

/// The places of the files, each behind those whose policies it uses.
fn order(set: &PolicySet) -> Vec<usize> {
    let others = |place: usize| {
        let own = |name: &String| {
            set.policies.iter().zip(&set.file_of).any(|(policy, of)| *of == place && policy.name == *name)
        };
        let inside = set.policies.iter().zip(&set.file_of).filter(|(_, of)| **of == place);
        let used: BTreeSet<&String> =
            inside.flat_map(|(policy, _)| &policy.uses).filter(|name| !own(name)).collect();
        used.len()
    };
    let mut order: Vec<usize> = (0..set.files.len()).collect();
    // What uses another uses all that that one uses, and itself.
    order.sort_by_key(|place| others(*place));
    order
}

fn refusal(findings: &[Value]) {
    terminal::tell("spine: the server refuses the policies:");
    for finding in findings {
        let text = |name: &str| finding.get(name).and_then(Value::as_str).unwrap_or_default();
        let line = finding.get("line").and_then(Value::as_u64).unwrap_or_default();
        let help =
            finding.get("help").and_then(Value::as_str).map(|help| format!("; {help}")).unwrap_or_default();
        terminal::tell(&format!("  line {line}: {}: {}{help}", text("severity"), text("message")));
    }
}

fn done(
    set: &PolicySet,
    remote: &[Remote],
    standing: &[Remote],
    wanted: &BTreeSet<String>,
    publishes: bool,
) -> Vec<Done> {
    let version = |of: &[Remote], name: &str| of.iter().find(|r| r.name == name).map(|r| r.version);
    let one = |(place, policy): (usize, &Policy)| {
        let before = version(remote, &policy.name);
        let after = version(standing, &policy.name).or(before);
        let differs = wanted.contains(&policy.name);
        let what = match (differs, publishes) {
            (false, _) => "as_it_was",
            (true, false) => "would_publish",
            // Its text is new, or a policy that it uses is.
            (true, true) if after == before => "as_it_was",
            (true, true) => "published",
        };
        let path = set.file_of.get(place).and_then(|file| set.files.get(*file));
        Done {
            name: policy.name.clone(),
            path: path.map(|file| file.path.clone()).unwrap_or_default(),
            what,
            version: after,
        }
    };
    set.policies.iter().enumerate().map(one).collect()
}

fn told(done: &[Done], url: &str) -> String {
    let mut out = String::new();
    for Done { name, path, what, version } in done {
        let at = version.map(|version| format!("{name}@{version}")).unwrap_or_else(|| name.clone());
        let line = match *what {
            "published" => format!("published  {at}  from {path}"),
            "would_publish" => match version {
                Some(_) => format!("differs    {at}  in {path}"),
                None => format!("new        {at}  in {path}"),
            },
            _ => format!("as it was  {at}"),
        };
        out.push_str(&line);
        out.push('\n');
    }
    let count = |what: &str| done.iter().filter(|d| d.what == what).count();
    let (published, would, same) = (count("published"), count("would_publish"), count("as_it_was"));
    out.push_str(&match (published, would) {
        (0, 0) => format!("\nnothing to publish: {url} has all {same}\n"),
        (0, would) => format!("\n{would} to publish on {url}, {same} as it was\n"),
        (published, _) => format!("\n{published} published on {url}, {same} as it was\n"),
    });
    out
}
