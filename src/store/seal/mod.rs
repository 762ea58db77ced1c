//! Sealing: what is personal or secret is in no file in clear.
//!
//! The operator's key seals a random key a scope; that seals a random key a *subject*, a contact or
//! the keyed hash of an address; and that seals the bytes. Whoever destroys a subject's key has
//! destroyed everything that was sealed under it, wherever it stands: message rows, journal, the
//! write-ahead log. Sealed with XChaCha20-Poly1305, a random nonce each time, and the place of the
//! bytes (`aad`, as a rule the row's id and field) as associated data, so that sealed bytes moved
//! to another row do not open there.

mod cipher;
mod master;
mod random;
mod scope;
mod subject;

pub use cipher::SEALED_EXTRA_BYTES;
pub use master::{MASTER_KEY_FILE, MasterKey};
pub(crate) use master::{NEW_MASTER_KEY_FILE, sync_names};
pub use random::{Randomness, SystemRandom};
pub use scope::{Scope, ScopeKeys};
pub use subject::SubjectKey;
