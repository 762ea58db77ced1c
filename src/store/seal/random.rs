//! Where keys and nonces come from.

use std::sync::{Mutex, PoisonError};

use ring::rand::{SecureRandom, SystemRandom as Ring};
use zeroize::{Zeroize as _, Zeroizing};

use crate::store::StoreError;

/// A source of bytes that nobody can guess. Tests hand in one with a seed.
pub trait Randomness: Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system has none.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError>;
}

/// The system's source. What is small comes from a store of bytes that were asked for together: a message
/// takes its ids and nonces in eight pieces, and each question is a call of the system.
pub struct SystemRandom {
    system: Ring,
    ahead: Mutex<Ahead>,
}

/// Bytes that were asked for and not yet given; those that were given are wiped.
struct Ahead {
    bytes: Zeroizing<[u8; AHEAD_BYTES]>,
    given: usize,
}

/// How many bytes are asked for together.
const AHEAD_BYTES: usize = 2_048;
/// The most bytes of a piece that comes from them.
const PIECE_BYTES_MAX: usize = 64;

impl SystemRandom {
    /// The system's source.
    #[must_use]
    pub fn new() -> SystemRandom {
        let ahead = Ahead { bytes: Zeroizing::new([0; AHEAD_BYTES]), given: AHEAD_BYTES };
        SystemRandom { system: Ring::new(), ahead: Mutex::new(ahead) }
    }

    fn ask(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        self.system.fill(bytes).map_err(|_| StoreError::Io {
            what: "asking the system for random bytes",
            detail: "it gave none".into(),
        })
    }
}

impl std::fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemRandom")
    }
}

impl Randomness for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        if bytes.len() > PIECE_BYTES_MAX {
            return self.ask(bytes);
        }
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if ahead.given + bytes.len() > AHEAD_BYTES {
            // All of it counts as given where asking fails in the middle.
            ahead.given = AHEAD_BYTES;
            self.ask(ahead.bytes.as_mut_slice())?;
            ahead.given = 0;
        }
        let from = ahead.given;
        ahead.given += bytes.len();
        let piece = &mut ahead.bytes[from..from + bytes.len()];
        bytes.copy_from_slice(piece);
        piece.zeroize();
        Ok(())
    }
}

impl Default for SystemRandom {
    fn default() -> SystemRandom {
        SystemRandom::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_piece_is_given_twice_and_what_was_given_is_wiped() {
        let random = SystemRandom::new();
        let mut seen = HashSet::new();
        // More than is asked for at once, in lengths that do not divide it, and one that is too long for it.
        for length in [24, 10, 32, 64, 65, 7].into_iter().cycle().take(600) {
            let mut bytes = vec![0; length];
            random.fill(&mut bytes).unwrap();
            let long_enough = length >= 10;
            assert!(!long_enough || bytes.iter().any(|byte| *byte != 0), "nothing was filled in");
            assert!(!long_enough || seen.insert(bytes), "the same bytes twice");
        }
        let ahead = random.ahead.lock().unwrap();
        assert!(ahead.given > 0 && ahead.bytes[..ahead.given].iter().all(|byte| *byte == 0));
        assert!(ahead.bytes[ahead.given..].iter().any(|byte| *byte != 0) || ahead.given + 16 > AHEAD_BYTES);
    }
}
