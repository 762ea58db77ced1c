//! Questions after single rows that come at once, asked together.
//!
//! While one question is under way, those who come wait, and are asked for together with the next one.
//! So under load a round trip serves many, and without load nobody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::store::StoreError;

/// How many questions are under way at once: one whose connection is dead holds up nobody else.
const AT_ONCE: usize = 3;

/// What is gathered for one kind of question: rows by key.
pub(in crate::store) struct Gather<K, V> {
    asking: Semaphore,
    next: AtomicU64,
    waiting: Mutex<Vec<Waits<K, V>>>,
}

/// Somebody who waits for the rows of these keys.
struct Waits<K, V> {
    number: u64,
    keys: Vec<K>,
    answer: oneshot::Sender<Result<BTreeMap<K, V>, StoreError>>,
}

impl<K, V> Default for Gather<K, V> {
    fn default() -> Gather<K, V> {
        Gather::of(AT_ONCE)
    }
}

impl<K, V> Gather<K, V> {
    fn of(at_once: usize) -> Gather<K, V> {
        Gather { asking: Semaphore::new(at_once), next: AtomicU64::new(0), waiting: Mutex::default() }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Waits<K, V>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All who wait, where this one is still among them: else another question is under way for it.
    fn take(&self, number: u64) -> Option<Vec<Waits<K, V>>> {
        let mut waiting = self.waiting();
        waiting.iter().any(|waits| waits.number == number).then(|| std::mem::take(&mut *waiting))
    }
}

impl<K: Ord + Copy, V: Clone> Gather<K, V> {
    /// The rows of these keys, those that are there, by a question that begins after this is called.
    pub(in crate::store) async fn get<F>(
        &self,
        keys: &[K],
        ask: impl Fn(Vec<K>) -> F,
    ) -> Result<BTreeMap<K, V>, StoreError>
    where
        F: Future<Output = Result<BTreeMap<K, V>, StoreError>>,
    {
        loop {
            let (answer, mut answered) = oneshot::channel();
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            self.waiting().push(Waits { number, keys: keys.to_vec(), answer });
            let asking = tokio::select! {
                biased;
                found = &mut answered => match found {
                    Ok(found) => return found,
                    // Who asked for this one as well went away before the answer came.
                    Err(_) => continue,
                },
                asking = self.asking.acquire() => asking.map_err(|_| StoreError::Closing)?,
            };
            let Some(all) = self.take(number) else {
                drop(asking);
                match answered.await {
                    Ok(found) => return found,
                    Err(_) => continue,
                }
            };
            let asked: BTreeSet<K> = all.iter().flat_map(|waits| waits.keys.iter().copied()).collect();
            let found = ask(asked.into_iter().collect()).await;
            drop(asking);
            for waits in all {
                // Who went away needs no answer.
                let _ = waits.answer.send(of_keys(&found, &waits.keys));
            }
            return of_keys(&found, keys);
        }
    }
}

/// Of what was found, the rows of these keys.
fn of_keys<K: Ord + Copy, V: Clone>(
    found: &Result<BTreeMap<K, V>, StoreError>,
    keys: &[K],
) -> Result<BTreeMap<K, V>, StoreError> {
    let found = found.as_ref().map_err(Clone::clone)?;
    Ok(keys.iter().filter_map(|key| Some((*key, found.get(key)?.clone()))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_comes_while_a_question_is_under_way_is_asked_for_with_the_next_one() {
        let gather = Gather::<u32, u32>::of(1);
        let asked = Mutex::new(Vec::new());
        let ask = |keys: Vec<u32>| {
            asked.lock().unwrap().push(keys.clone());
            async move {
                tokio::task::yield_now().await;
                Ok(keys.into_iter().filter(|key| *key != 3).map(|key| (key, key * 10)).collect())
            }
        };
        let (one, two, three) =
            tokio::join!(gather.get(&[1], ask), gather.get(&[2, 1], ask), gather.get(&[3], ask));
        assert_eq!(one.unwrap(), BTreeMap::from([(1, 10)]));
        assert_eq!(two.unwrap(), BTreeMap::from([(1, 10), (2, 20)]));
        assert_eq!(three.unwrap(), BTreeMap::new(), "there is no such row");
        let asked = asked.into_inner().unwrap();
        assert!(asked.len() <= 2, "the second question serves all who came meanwhile: {asked:?}");
    }

    #[tokio::test]
    async fn who_goes_away_takes_no_answer_with_them() {
        let gather = Gather::<u32, u32>::of(1);
        let asked = AtomicU32::new(0);
        let ask = |keys: Vec<u32>| {
            let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                if first {
                    std::future::pending::<()>().await;
                }
                Ok(keys.into_iter().map(|key| (key, key)).collect())
            }
        };
        let mut leaves = Box::pin(gather.get(&[1], ask));
        assert!(futures_util::poll!(&mut leaves).is_pending());
        let mut stays = Box::pin(gather.get(&[2], ask));
        assert!(futures_util::poll!(&mut stays).is_pending());
        drop(leaves);
        assert_eq!(stays.await.unwrap(), BTreeMap::from([(2, 2)]));
    }

    #[tokio::test]
    async fn an_error_reaches_all_who_asked() {
        let gather = Gather::<u32, u32>::of(1);
        let ask = |_| async {
            tokio::task::yield_now().await;
            Err(StoreError::Overloaded)
        };
        let (one, two) = tokio::join!(gather.get(&[1], ask), gather.get(&[2], ask));
        assert!(matches!((one, two), (Err(StoreError::Overloaded), Err(StoreError::Overloaded))));
    }
}
