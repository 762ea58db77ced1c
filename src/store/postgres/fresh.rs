//! Questions that come at once, answered by one look.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// What was found last, shared by all who asked before the look for it began.
pub(super) struct Fresh<T> {
    /// How long it is at least from the beginning of a look to that of the next one.
    apart: Duration,
    begun: AtomicU64,
    newest: Mutex<Option<Newest<T>>>,
}

struct Newest<T> {
    number: u64,
    began: Instant,
    found: T,
}

impl<T: Copy> Fresh<T> {
    pub(super) fn new(apart: Duration) -> Fresh<T> {
        Fresh { apart, begun: AtomicU64::new(0), newest: Mutex::new(None) }
    }

    /// The answer of a look that began after this was called.
    pub(super) async fn get<E, F>(&self, look: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let before = self.begun.load(Ordering::Acquire);
        let mut newest = self.newest.lock().await;
        if let Some(newest) = &*newest {
            if newest.number > before {
                return Ok(newest.found);
            }
            if let Some(left) = self.apart.checked_sub(newest.began.elapsed())
                && !left.is_zero()
            {
                tokio::time::sleep(left).await;
            }
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let began = Instant::now();
        let found = look().await?;
        *newest = Some(Newest { number, began, found });
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_asks_while_a_look_is_under_way_gets_the_next_one() {
        let fresh = Fresh::<u32>::new(Duration::ZERO);
        let looks = AtomicU64::new(0);
        let look = || async {
            let number = looks.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok::<u32, u32>(number as u32)
        };
        // The first begins; both others come while it is under way, and share the second.
        let (first, second, third) = tokio::join!(fresh.get(look), fresh.get(look), fresh.get(look));
        assert_eq!((first, second, third), (Ok(0), Ok(1), Ok(1)));
        assert_eq!(fresh.get(|| async { Err::<u32, u32>(7) }).await, Err(7), "an old answer was given");
    }
}
