//! The schemas of a folder's files, as steps that were taken or not.

use std::path::{Path, PathBuf};

use super::connect;
use super::error::file_error;
use super::folder::Folder;
use super::migrate::{REGISTRY, SCOPE, Schema};
use crate::store::{SchemaStep, StoreError};

/// The files of a folder with what each is made by, the registry first.
fn files(folder: &Folder) -> Result<Vec<(PathBuf, &'static Schema)>, StoreError> {
    let mut all = vec![(folder.registry(), &REGISTRY)];
    let scopes = folder.scopes();
    let failed = |error: std::io::Error| file_error("reading the data folder", &error, &scopes);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&scopes).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == "db") {
            found.push(path);
        }
    }
    found.sort();
    all.extend(found.into_iter().map(|path| (path, &SCOPE)));
    Ok(all)
}

/// The steps of each file; makes none, and nothing else. Also beside a running server.
///
/// # Errors
/// Where a file cannot be read, is newer, or not one of ours.
pub async fn plan(folder: &Path) -> Result<Vec<SchemaStep>, StoreError> {
    let held = Folder::beside(folder)?;
    let mut steps = Vec::new();
    for (path, schema) in files(&held)? {
        let version = if path.exists() { connect::version(&path, schema).await? } else { 0 };
        let part = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        for number in 1..=schema.newest() {
            steps.push(SchemaStep { part: part.clone(), version: number, applied: number <= version });
        }
    }
    Ok(steps)
}

/// Brings every file to the newest schema.
///
/// # Errors
/// As [`plan`], and [`StoreError::Locked`] where a server runs.
pub async fn migrate(folder: &Path) -> Result<(), StoreError> {
    let held = Folder::hold(folder, &format!("process {}, which migrates", std::process::id()))?;
    for (path, schema) in files(&held)? {
        let conn = connect::open_writer(&path, schema).await?;
        sqlx::Connection::close(conn).await.map_err(|error| super::error::open_error(&error, &path))?;
    }
    Ok(())
}
