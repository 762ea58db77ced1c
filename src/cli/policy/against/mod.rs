//! The other side of a comparison: files, a revision of git, or what a server has.

mod git;
mod server;

use std::path::{Path, PathBuf};

use crate::cli::CliError;
use crate::language::Policy;
use crate::machine::catalog::Catalog;
use crate::workbench::diff::Origin;

use super::files::{Folder, load_any};
use super::set::PolicySet;

pub(crate) use server::{Remote, Server, ServerError};

/// Policies with where they stand.
pub(crate) struct Side {
    /// The policies.
    pub(crate) set: PolicySet,
    /// Where the text of each file comes from, where no path leads to it.
    from: Vec<Option<String>>,
    is_server: bool,
}

/// Where the other side is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Files.
    Path(PathBuf),
    /// A revision.
    Git(String),
    /// A server.
    Server(String),
}

impl From<&str> for Place {
    fn from(text: &str) -> Place {
        match text.strip_prefix("git:") {
            Some(revision) => Place::Git(revision.to_owned()),
            None if text.starts_with("http://") || text.starts_with("https://") => {
                Place::Server(text.to_owned())
            }
            None => Place::Path(PathBuf::from(text)),
        }
    }
}

impl Side {
    /// The files of a path; a folder may have none.
    pub(crate) fn files(path: &Path, catalog: &Catalog) -> Result<Side, CliError> {
        let set = PolicySet::around(load_any(path)?, catalog);
        Ok(Side { from: vec![None; set.files.len()], set, is_server: false })
    }

    /// What a revision has of a path.
    pub(crate) fn revision(revision: &str, path: &Path, catalog: &Catalog) -> Result<Side, CliError> {
        let found = git::show(revision, path)?;
        let (mut wanted, mut from, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for file in found {
            all.push(file.source.clone());
            if file.is_wanted {
                from.push(Some(file.command));
                wanted.push(file.source);
            }
        }
        // Those beside it that are not compared may be used.
        let set = PolicySet::of(wanted, &Folder::of(&all), catalog);
        Ok(Side { set, from, is_server: false })
    }

    /// What a server has published.
    pub(crate) fn published(remote: &[Remote], url: &str, catalog: &Catalog) -> Side {
        let files = Remote::files(remote, url);
        let command =
            |policy: &Remote| Some(format!("spine policy pull {} --url {url} --stdout", policy.name));
        let from = remote.iter().map(command).collect();
        let folder = Folder::of(&files);
        Side { set: PolicySet::of(files, &folder, catalog), from, is_server: true }
    }

    /// Policies that were read already.
    pub(crate) fn of_set(set: PolicySet) -> Side {
        Side { from: vec![None; set.files.len()], set, is_server: false }
    }

    /// What a server has published under the names of these, which may use the rest.
    pub(crate) fn beside(names: &[Policy], all: &[Remote], url: &str, catalog: &Catalog) -> Side {
        let mut side = Side::published(all, url, catalog);
        let wanted = |name: &str| names.iter().any(|policy| policy.name == name);
        let kept: Vec<(Policy, usize)> = std::mem::take(&mut side.set.policies)
            .into_iter()
            .zip(std::mem::take(&mut side.set.file_of))
            .filter(|(policy, _)| wanted(&policy.name))
            .collect();
        (side.set.policies, side.set.file_of) = kept.into_iter().unzip();
        side
    }

    /// Where a policy stands.
    pub(crate) fn origin(&self, name: &str) -> Option<Origin> {
        let place = self.set.policies.iter().position(|policy| policy.name == name)?;
        let file = *self.set.file_of.get(place)?;
        let from = self.from.get(file).cloned().flatten();
        // What one text brings to the standard input cannot use another.
        if from.is_some() && self.set.policies.get(place).is_some_and(|policy| !policy.uses.is_empty()) {
            return None;
        }
        let path = match &from {
            Some(_) => "-".to_owned(),
            None => self.set.files.get(file)?.path.clone(),
        };
        let several = !self.is_server && self.set.is_one_of_several(place);
        Some(Origin { from, path, policy: several.then(|| name.to_owned()) })
    }
}
