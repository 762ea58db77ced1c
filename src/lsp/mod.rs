//! The language server: what an editor is told of a policy while it is written.
//!
//! **Knows** documents as an editor holds them, the places of the grammar, and the protocol.
//! **Does not know** files, processes or pipes: what lies on the disk is asked of a [`Disk`], and
//! messages come and go by a [`Connection`]. It has no clock: whatever is asked is answered at once,
//! and findings are told when nothing else waits.

mod actions;
mod completion;
mod diagnostics;
mod folding;
mod formatting;
mod hints;
mod hover;
mod navigate;
mod reading;
mod reference;
mod rename;
mod server;
mod stages;
mod symbols;
mod text;
mod tokens;
mod world;

use std::path::{Path, PathBuf};

pub use lsp_server::Connection;

use crate::machine::catalog::Catalog;

/// What lies around the documents.
pub trait Disk {
    /// The policy files of a folder, those of the folders below it too where `below`.
    fn policies(&self, folder: &Path, below: bool) -> Vec<(PathBuf, String)>;
    /// The test files of a folder.
    fn suites(&self, folder: &Path) -> Vec<(PathBuf, String)>;
    /// The text of a file.
    fn read(&self, file: &Path) -> Option<String>;
    /// What the `spine.yaml` that holds for a folder says.
    fn settings(&self, folder: &Path) -> Settings;
}

/// What a `spine.yaml` says.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The providers, and what else the catalog tells.
    pub catalog: Catalog,
    /// Levels of rules, and rules of the house.
    pub lint: crate::lint::Settings,
    /// Why it could not be read, for people.
    pub fault: Option<String>,
}

/// How a session came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By `shutdown` and `exit`.
    Orderly,
    /// By an `exit` that nobody announced, or because the client is gone.
    Abrupt,
}

/// Speaks with one client until the end of the session.
#[must_use]
pub fn serve(connection: &Connection, disk: &dyn Disk) -> Ended {
    server::Server::new(connection, disk).run()
}
