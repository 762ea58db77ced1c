//! Where keys and nonces come from.

use ring::rand::{SecureRandom, SystemRandom as Ring};

use crate::store::StoreError;

/// A source of bytes that nobody can guess. Tests hand in one with a seed.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system has none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError>;
}

/// The system's source.
#[derive(Debug)]
pub struct SystemRandom(Ring);

impl SystemRandom {
    /// The system's source.
    #[must_use]
    pub fn new() -> SystemRandom {
        SystemRandom(Ring::new())
    }
}

impl Randomness for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.0.fill(bytes).map_err(|_| StoreError::Io {
            what: "asking the system for random bytes",
            detail: "it gave none".into(),
        })
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}
