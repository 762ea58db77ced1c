//! Why a command could not run.

use std::path::PathBuf;

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
    /// A folder holds nothing to work on.
    #[error("there is no `.policy` file in `{}` or below; name a file, a folder or `-` for the standard input", .0.display())]
    NoPolicies(PathBuf),
    /// Output that cannot be written.
    #[error("cannot write the output: {0}")]
    Write(#[from] std::io::Error),
    /// Output that cannot be made.
    #[error("cannot write the output as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
