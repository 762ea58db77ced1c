//! `spine policy replay`: real messages, run by another version of their policy.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::operator::block_on;
use crate::cli::table::{Format, table};
use crate::cli::{CliError, terminal};
use crate::language::{Library, Used, compile_version};
use crate::machine::{Machine, compile};
use crate::workbench::replay::{self, Against, Export};

use super::against::{Place, Server};
use super::catalog;
use super::faults::faulty;
use super::files::load;
use super::set::PolicySet;

/// Run the recorded outcomes of real messages against another version of their policy
///
/// The export holds what providers answered and what was known. Each message is run twice by it: by its
/// own version and by the one of the same name in --against. What that one asks and the record does not
/// say is assumed, and every assumption is told. Exit codes: 0 replayed, 1 the other version has faults,
/// 2 could not run.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    spine audit export --tenant acme --env live > audit.jsonl\n  \
    spine policy replay audit.jsonl --against policies/\n  \
    spine policy replay https://spine.example.org --against new.policy --policy reminder --format json")]
pub(crate) struct Args {
    /// What `spine audit export` wrote, `-` for the standard input, or the address of a server (its key
    /// in SPINE_KEY)
    #[arg(value_name = "EXPORT")]
    export: String,
    /// The other version: a file, or a folder (all `.policy` files below it)
    #[arg(long, value_name = "PATH")]
    against: PathBuf,
    /// The policy of --against that all messages are run by, whatever theirs is called
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The file whose `catalog:` says which providers there are and what they cost, where the record
    /// does not
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// How it is shown
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The versions of an export, so that one may use another.
struct Versions<'a>(&'a Export);

impl Library for Versions<'_> {
    fn policy(&self, reference: &str) -> Option<Used> {
        let version = self.0.versions.get(reference)?;
        Some(Used {
            name_at_version: version.name.clone(),
            source: version.source.clone(),
            policy_name: version.policy.clone(),
            uses: version.uses.clone(),
        })
    }
}

/// The machine of a version of the export.
fn machine(export: &Export, name: &str) -> Option<Machine> {
    let library = Versions(export);
    let used = library.policy(name)?;
    let compiled = compile_version(&used, &library);
    compiled.policies.iter().find(|policy| policy.name == used.policy_name).map(compile)
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode, CliError> {
        let catalog = catalog::load(self.catalog.as_deref())?;
        let set = PolicySet::around(load(std::slice::from_ref(&self.against))?, &catalog);
        let faults = set.faults();
        if !faults.is_empty() {
            return faulty(&faults, self.format == Format::Json);
        }
        if let Some(name) = self.policy.as_ref().filter(|name| set.policies.iter().all(|p| p.name != **name))
        {
            let known = set.policies.iter().map(|policy| policy.name.as_str());
            return Err(CliError::Refused(format!(
                "`{}` has no policy `{name}`; it has {}",
                self.against.display(),
                crate::language::words::listed(known, "and")
            )));
        }
        let export = read(&self.export)?;
        let policies: Vec<Machine> = set.policies.iter().map(compile).collect();
        let against = Against { policies: &policies, always: self.policy.as_deref(), catalog: &catalog };
        let report = replay::replay(&export, &against, &machine);
        match self.format {
            Format::Human => terminal::print(&replay::human(&report, &table))?,
            Format::Json => terminal::print_json(&replay::json(&report))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads an export, line by line, or a server's, page by page.
fn read(from: &str) -> Result<Export, CliError> {
    let mut export = Export::default();
    match Place::from(from) {
        Place::Server(url) => of_server(&Server::at(&url)?, &mut export)?,
        Place::Path(_) | Place::Git(_) => of_file(Path::new(from), &mut export)?,
    }
    if export.messages.is_empty() {
        return Err(CliError::Refused(format!(
            "`{from}` holds no message; write an export with `spine audit export`"
        )));
    }
    Ok(export)
}

fn of_file(path: &Path, export: &mut Export) -> Result<(), CliError> {
    let fault = |source| CliError::Read { path: path.to_owned(), source };
    let from: Box<dyn BufRead> = match path.as_os_str() == "-" {
        true => Box::new(std::io::stdin().lock()),
        false => Box::new(BufReader::new(std::fs::File::open(path).map_err(fault)?)),
    };
    for line in from.lines() {
        let wrong = |wrong| CliError::Refused(format!("`{}`: {wrong}", path.display()));
        export.line(&line.map_err(fault)?).map_err(wrong)?;
    }
    Ok(())
}

fn of_server(server: &Server, export: &mut Export) -> Result<(), CliError> {
    let mut after: Option<String> = None;
    loop {
        let page = block_on(async { Ok(server.audit(after.as_deref()).await?) })?;
        let mut next = None;
        for line in page.lines() {
            let wrong = |wrong| CliError::Refused(format!("`{}`: {wrong}", server.url));
            next = export.line(line).map_err(wrong)?.or(next);
        }
        match next {
            Some(cursor) => after = Some(cursor),
            None => return Ok(()),
        }
    }
}
