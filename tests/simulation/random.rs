//! Choices that a seed decides.

use std::sync::atomic::{AtomicU64, Ordering};

use spine::store::StoreError;
use spine::store::seal::Randomness;

/// Numbers that follow from a seed, always the same.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(mixed(seed ^ 0x5bf0_3635_d1f3_9b2a))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// From `from` to `to`, both included.
    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        let wide = u64::try_from(to - from).unwrap_or_default() + 1;
        from + i64::try_from(self.below(wide)).unwrap_or_default()
    }

    /// True so many times of a hundred.
    pub(crate) fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(of.len() as u64)).unwrap_or_default();
        &of[index]
    }
}

/// A number in which every bit depends on every bit of `n`.
pub(crate) const fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Keys and nonces that anybody could guess, never the same twice.
pub(crate) struct Guessable(AtomicU64);

impl Guessable {
    pub(crate) fn new(seed: u64) -> Guessable {
        Guessable(AtomicU64::new(mixed(seed)))
    }
}

impl Randomness for Guessable {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), StoreError> {
        for chunk in bytes.chunks_mut(8) {
            let n = mixed(self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)).to_le_bytes();
            chunk.copy_from_slice(&n[..chunk.len()]);
        }
        Ok(())
    }
}
