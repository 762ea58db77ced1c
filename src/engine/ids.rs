//! Ids: ULIDs that rise strictly within one process.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Clock, Ids, Instant};
use crate::store::seal::Randomness;

/// Random bits of a ULID; the milliseconds stand above them.
const RANDOM_BITS: u32 = 80;

/// The one source of ids of a process. Real time in the upper 48 bits, then random bits; within one
/// millisecond, and where the clock is set back, the number before plus a random step.
pub struct RisingIds {
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    last: Mutex<u128>,
}

impl std::fmt::Debug for RisingIds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RisingIds")
    }
}

impl RisingIds {
    /// A source that starts above `floor`, the largest id that is stored.
    #[must_use]
    pub fn above(floor: u128, clock: Arc<dyn Clock>, random: Arc<dyn Randomness>) -> RisingIds {
        RisingIds { clock, random, last: Mutex::new(floor) }
    }

    /// From now on above this number too: a scope was opened that holds it.
    pub fn raise(&self, floor: u128) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last).max(floor);
    }
}

impl Ids for RisingIds {
    fn next(&self) -> u128 {
        let mut random = [0_u8; 16];
        // Without randomness ids are still unique in this process: each is above the one before.
        let _ = self.random.fill(&mut random[6..]);
        let random = u128::from_be_bytes(random);
        let fresh = (u128::from(ms(self.clock.real_now())) << RANDOM_BITS) | random;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // The step keeps ids of one millisecond from being guessed from one another.
        let next = if fresh > *last { fresh } else { last.saturating_add(1 + (random >> 48)) };
        *last = next;
        next
    }
}

fn ms(at: Instant) -> u64 {
    u64::try_from(at.ms()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;
    use crate::model::{ScopeId, kinds};
    use crate::store::seal::SystemRandom;

    struct Held(AtomicI64);
    impl Clock for Held {
        fn real_now(&self) -> Instant {
            Instant::from_ms(self.0.load(Ordering::Relaxed))
        }
        fn scope_now(&self, _: ScopeId) -> Instant {
            self.real_now()
        }
        fn until(&self, _: ScopeId, _: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
            Box::pin(std::future::ready(()))
        }
    }

    #[test]
    fn ids_rise_strictly_also_when_the_clock_does_not() {
        let clock = Arc::new(Held(AtomicI64::new(5_000)));
        let rising = RisingIds::above(0, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(SystemRandom::new()));
        let ids: &dyn Ids = &rising;
        let mut last = ids.mint::<kinds::Message>();
        assert_eq!(last.as_u128() >> 80, 5_000);
        for step in [0, 0, -4_000, 1, 10_000] {
            clock.0.fetch_add(step, Ordering::Relaxed);
            let next = ids.mint();
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.as_u128() >> 80, 11_001);
        rising.raise(u128::MAX >> 1);
        assert!(ids.mint::<kinds::Message>().as_u128() > u128::MAX >> 1);
    }
}
