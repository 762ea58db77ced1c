//! Why a command could not run.

use std::path::PathBuf;

use super::config::Fault;
use super::node::NodeError;
use crate::store::StoreError;

/// Why a command could not run: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {source}", .path.display())]
    WriteFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder holds nothing to work on.
    #[error("there is no `.policy` file in `{}` or below; name a file, a folder or `-` for the standard input", .0.display())]
    NoPolicies(PathBuf),
    /// A file of settings with faults.
    #[error("`{}` cannot be used:{}", .path.display(), lines(.faults))]
    Config {
        /// Which.
        path: PathBuf,
        /// All that is wrong in it.
        faults: Vec<Fault>,
    },
    /// The store's failure.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server did not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Something that cannot be done as it was asked for.
    #[error("{0}")]
    Refused(String),
    /// Output that cannot be written.
    #[error("cannot write the output: {0}")]
    Write(#[from] std::io::Error),
    /// Output that cannot be made.
    #[error("cannot write the output as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}
