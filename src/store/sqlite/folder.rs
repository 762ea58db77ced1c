//! The data folder: whose it is, and who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::file_error;
use crate::store::StoreError;
use crate::store::seal::{MASTER_KEY_FILE, NEW_MASTER_KEY_FILE, sync_names};

/// The file whose lock holds the folder.
const LOCK_FILE: &str = "lock";
/// The registry's file.
const REGISTRY_FILE: &str = "registry.db";
/// The folder of the scopes' files.
const SCOPES_FOLDER: &str = "scopes";

/// A data folder.
pub(super) struct Folder {
    path: PathBuf,
    /// Held for as long as this lives; none for one that only writes the registry.
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder if it is not there, and holds it. `holder` is written into the lock file,
    /// for the process that comes second.
    pub(super) fn hold(path: &Path, holder: &str) -> Result<Folder, StoreError> {
        make(path)?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| file_error("opening the lock file", &error, &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let read = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                let known = read.is_ok() && !holder.is_empty();
                return Err(StoreError::Locked {
                    path: path.to_owned(),
                    holder: if known { holder.to_owned() } else { "another process".into() },
                });
            }
            Err(TryLockError::Error(error)) => return Err(file_error("locking", &error, &lock_path)),
        }
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{holder}"))
            .and_then(|()| lock.flush())
            .map_err(|error| file_error("writing the lock file", &error, &lock_path))?;
        Ok(Folder { path: path.to_owned(), _lock: Some(lock) })
    }

    /// The folder without holding it, for what is done beside a running server.
    pub(super) fn beside(path: &Path) -> Result<Folder, StoreError> {
        make(path)?;
        Ok(Folder { path: path.to_owned(), _lock: None })
    }

    /// Whether a process holds the folder.
    pub(super) fn is_held(&self) -> bool {
        let lock = File::open(self.path.join(LOCK_FILE));
        lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn registry(&self) -> PathBuf {
        self.path.join(REGISTRY_FILE)
    }

    pub(super) fn scopes(&self) -> PathBuf {
        self.path.join(SCOPES_FOLDER)
    }

    pub(super) fn scope(&self, id: i64) -> PathBuf {
        self.scopes().join(format!("{id}.db"))
    }
}

/// Makes a folder that its owner alone can look into: what is in clear in its files is the tenants'.
fn private_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder with all that is above it, and sees to it that their names are on the disk: a folder
/// whose name is not may be gone after a power cut, with all that was synced in it.
fn lasting_folder(path: &Path) -> std::io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !above.is_dir() {
        lasting_folder(above)?;
    }
    private_folder(path)?;
    sync_names(above)
}

/// Makes an empty folder ours, and refuses one that holds something else.
fn make(path: &Path) -> Result<(), StoreError> {
    let scopes = path.join(SCOPES_FOLDER);
    let made = if path.join(REGISTRY_FILE).exists() { Ok(()) } else { lasting_folder(path) };
    made.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::NotADirectory => {
            StoreError::Foreign { path: path.to_owned(), detail: "it is a file".into() }
        }
        _ => file_error("making the data folder", &error, path),
    })?;
    if !path.join(REGISTRY_FILE).exists() {
        let read = |error: std::io::Error| file_error("reading the data folder", &error, path);
        for entry in fs::read_dir(path).map_err(read)? {
            let name = entry.map_err(read)?.file_name();
            let ours = [LOCK_FILE, SCOPES_FOLDER, MASTER_KEY_FILE, NEW_MASTER_KEY_FILE];
            let name = name.to_string_lossy();
            // A start that was cut off leaves some of these behind.
            if !ours.contains(&name.as_ref()) && !name.starts_with(REGISTRY_FILE) && name != "spine.yaml" {
                return Err(StoreError::Foreign {
                    path: path.to_owned(),
                    detail: format!("it holds `{name}` and no {REGISTRY_FILE}"),
                });
            }
        }
    }
    // Its name is on the disk with those of the registry's files, which are synced before they are used.
    private_folder(&scopes).map_err(|error| file_error("making the data folder", &error, &scopes))
}
