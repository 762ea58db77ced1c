//! The operator's key.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

use super::cipher::{self, Secret};
use super::random::Randomness;
use crate::model::ScopeId;
use crate::store::StoreError;

/// The file in the data folder that holds the key where `SPINE_MASTER_KEY` is not set.
pub const MASTER_KEY_FILE: &str = "master.key";

/// The same while it is made; a start that was cut off leaves it behind.
pub(crate) const NEW_MASTER_KEY_FILE: &str = "master.key.new";

/// The operator's key. It seals the scopes' keys and nothing else.
pub struct MasterKey(Secret);

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey([REDACTED])")
    }
}

impl MasterKey {
    /// From the text of `SPINE_MASTER_KEY`, or of the file.
    ///
    /// # Errors
    /// [`StoreError::MasterKey`] if it is not 32 bytes in base64.
    pub fn from_base64(text: &str) -> Result<MasterKey, StoreError> {
        let mut bytes = STANDARD.decode(text.trim()).unwrap_or_default();
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map(Zeroizing::new);
        bytes.zeroize();
        key.map(MasterKey).map_err(|_| {
            StoreError::MasterKey(
                "the master key is not 32 bytes in base64; make one with `head -c 32 /dev/urandom | base64`"
                    .into(),
            )
        })
    }

    /// From the file in the data folder, which is made, readable by its owner alone, when it is not
    /// there and `may_make` is true.
    ///
    /// # Errors
    /// [`StoreError::MasterKey`] for a missing or malformed file, [`StoreError::Io`] for one that
    /// cannot be read or made.
    pub fn from_folder(
        folder: &Path,
        may_make: bool,
        random: &dyn Randomness,
    ) -> Result<MasterKey, StoreError> {
        let path = folder.join(MASTER_KEY_FILE);
        match File::open(&path) {
            Ok(mut file) => {
                let mut text = Zeroizing::new(String::new());
                file.read_to_string(&mut text).map_err(|e| io("reading master.key", &e))?;
                if may_make {
                    // The start that made it may have been cut off before its name was on the disk.
                    sync_names(folder).map_err(|e| io("making master.key", &e))?;
                }
                MasterKey::from_base64(&text)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && may_make => {
                let key = MasterKey(cipher::fresh(random)?);
                key.write(folder).map_err(|e| io("making master.key", &e))?;
                Ok(key)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Err(StoreError::MasterKey(format!(
                    "{} is missing, and what is stored cannot be opened without it; put it back from a backup, or set SPINE_MASTER_KEY",
                    path.display()
                )))
            }
            Err(error) => Err(io("reading master.key", &error)),
        }
    }

    /// Writes the file so that it is there as a whole, or not at all, also after a power cut: without it
    /// nothing that it sealed is ever opened again.
    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let new = folder.join(NEW_MASTER_KEY_FILE);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        let text = Zeroizing::new(STANDARD.encode(self.0.as_slice()));
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&new, folder.join(MASTER_KEY_FILE))?;
        sync_names(folder)
    }

    /// A fresh key for a scope, sealed.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system gives no random bytes.
    pub fn make_scope_key(&self, scope: ScopeId, random: &dyn Randomness) -> Result<Vec<u8>, StoreError> {
        let key = cipher::fresh(random)?;
        cipher::seal(&self.0, &aad(scope), key.as_slice(), random)
    }

    /// Opens a scope's key.
    pub(crate) fn open_scope_key(&self, scope: ScopeId, sealed: &[u8]) -> Result<Secret, StoreError> {
        let mut plain = cipher::open(&self.0, &aad(scope), sealed).map_err(|_| {
            StoreError::MasterKey(
                "the master key does not open what is stored; set SPINE_MASTER_KEY (or put master.key back) to the key with which the data was made"
                    .into(),
            )
        })?;
        let key = <[u8; 32]>::try_from(plain.as_slice()).map(Zeroizing::new);
        plain.zeroize();
        key.map_err(|_| StoreError::Sealed)
    }
}

/// Sees to it that the names in a folder are on the disk.
pub(crate) fn sync_names(folder: &Path) -> std::io::Result<()> {
    // Elsewhere a folder cannot be opened as a file, and its names are written with what they name.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

fn aad(scope: ScopeId) -> Vec<u8> {
    let mut aad = b"scope key".to_vec();
    aad.extend_from_slice(&scope.0.to_be_bytes());
    aad
}

fn io(what: &'static str, error: &std::io::Error) -> StoreError {
    StoreError::Io { what, detail: error.to_string() }
}
