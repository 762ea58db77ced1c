//! Questions that come at once, answered by one look.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

/// How many may wait before looks keep apart: fewer are not worth a pause.
const FEW: usize = 4;

/// What was found last, shared by all who asked before the look for it began.
pub(super) struct Fresh<T> {
    /// How long it is at least from the beginning of a look to that of the next one, where many wait.
    apart: Duration,
    begun: AtomicU64,
    waiting: AtomicUsize,
    newest: Mutex<Option<Newest<T>>>,
}

struct Newest<T> {
    number: u64,
    began: Instant,
    found: T,
}

impl<T: Copy> Fresh<T> {
    pub(super) fn new(apart: Duration) -> Fresh<T> {
        Fresh { apart, begun: AtomicU64::new(0), waiting: AtomicUsize::new(0), newest: Mutex::new(None) }
    }

    /// The answer of a look that began after this was called.
    pub(super) async fn get<E, F>(&self, look: impl FnOnce() -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let before = self.begun.load(Ordering::Acquire);
        let _waits = Waits::begin(&self.waiting);
        let mut newest = self.newest.lock().await;
        if let Some(newest) = &*newest {
            if newest.number > before {
                return Ok(newest.found);
            }
            if let Some(left) = self.apart.checked_sub(newest.began.elapsed())
                && !left.is_zero()
                && self.waiting.load(Ordering::Relaxed) > FEW
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

/// One who waits, also if it gives up.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Waits<'a> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::future::join_all;

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

    /// What comes of a future without waiting.
    fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
        let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
        (0..20).find_map(|_| match future.as_mut().poll(&mut context) {
            Poll::Ready(found) => Some(found),
            Poll::Pending => None,
        })
    }

    #[tokio::test]
    async fn few_who_ask_do_not_wait_and_many_do() {
        let fresh = Fresh::<u32>::new(Duration::from_secs(3_600));
        let look = || async {
            tokio::task::yield_now().await;
            Ok::<u32, u32>(1)
        };
        let ask = |count: usize| at_once(join_all((0..count).map(|_| fresh.get(look))));
        for count in [1, 1, FEW, FEW + 1] {
            assert_eq!(ask(count), Some(vec![Ok(1); count]));
        }
        assert_eq!(ask(FEW + 2), None, "nobody waited");
        // Those have given up.
        assert_eq!(ask(FEW), Some(vec![Ok(1); FEW]));
    }
}
