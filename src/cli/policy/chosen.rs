//! One policy out of the files that were named.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::CliError;
use crate::language::Policy;
use crate::language::words::{listed, near, quoted};
use crate::lint::{check_one, twice};
use crate::machine::catalog::Catalog;
use crate::machine::{Machine, compile};

use super::catalog::{self, WithCatalog};
use super::faults::faulty;
use super::files::{Folder, load, names_of};

/// Which policy, and in what world.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// A file, a folder (all `.policy` files below it) or `-` for the standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// The policy, where there are several
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// The file whose `catalog:` says which providers there are; without it every channel has one of
    /// its own name
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
}

/// A policy that compiles, or the exit code of what was found in it, which has been told.
pub(crate) enum Chosen {
    /// The policy.
    Policy(Box<Machine>, Catalog),
    /// It has faults.
    Faults(ExitCode),
}

impl Which {
    /// Reads, compiles and picks; tells faults to people or to programs.
    pub(crate) fn choose(&self, for_programs: bool) -> Result<Chosen, CliError> {
        let catalog = catalog::load(self.catalog.as_deref())?;
        let files = load(std::slice::from_ref(&self.path))?;
        let folder = Folder::around(&files);
        let library = WithCatalog { policies: &folder, catalog: &catalog };
        let (mut policies, mut found): (Vec<Policy>, _) = (Vec::new(), Vec::new());
        for file in &files {
            let (compiled, findings) = check_one(file, &library);
            policies.extend(compiled.policies);
            found.push(findings);
        }
        twice::tell(&files, names_of(&files), &mut found);
        let is_twice = |name: &str| policies.iter().filter(|policy| policy.name == *name).count() > 1;
        found.retain(|findings| findings.has_errors());
        let policy = match &self.policy {
            Some(name) if is_twice(name) => None,
            Some(name) => policies.iter().find(|policy| policy.name == *name),
            None if found.is_empty() => policies.first(),
            None => None,
        };
        match policy {
            Some(policy) if self.policy.is_some() || policies.len() == 1 => {
                Ok(Chosen::Policy(Box::new(compile(policy)), catalog))
            }
            _ if !found.is_empty() => Ok(Chosen::Faults(faulty(&found, for_programs)?)),
            _ => Err(CliError::Refused(self.refused(&self.path, &policies))),
        }
    }

    fn refused(&self, path: &Path, policies: &[Policy]) -> String {
        let path = path.display();
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        let known = listed(names.iter().copied(), "and");
        match &self.policy {
            None if policies.is_empty() => format!("`{path}` holds no policy"),
            None => format!("`{path}` holds {} policies; name one by `--policy`: {known}", policies.len()),
            Some(name) if names.contains(&name.as_str()) => {
                format!(
                    "`{path}` has several policies {}; name the file of the one that is meant",
                    quoted(name)
                )
            }
            Some(name) => match near(name, names.iter().copied()) {
                Some(meant) => format!("`{path}` has no policy {}; did you mean `{meant}`?", quoted(name)),
                None => format!("`{path}` has no policy {}; it has {known}", quoted(name)),
            },
        }
    }
}
