//! Questions after single rows that come at once, asked together.
//!
//! While one question is under way, those who come wait, and are asked for together with the next one.
//! So under load a round trip serves many, and without load nobody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::store::StoreError;

/// What is gathered for one kind of question: rows by key.
pub(in crate::store) struct Gather<K, V> {
    /// Held by who asks.
    asking: tokio::sync::Mutex<()>,
    waiting: Mutex<Vec<Waits<K, V>>>,
}

/// Somebody who waits for the rows of these keys.
struct Waits<K, V> {
    keys: Vec<K>,
    answer: oneshot::Sender<Result<BTreeMap<K, V>, StoreError>>,
}

impl<K, V> Default for Gather<K, V> {
    fn default() -> Gather<K, V> {
        Gather { asking: tokio::sync::Mutex::default(), waiting: Mutex::default() }
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
            self.waiting().push(Waits { keys: keys.to_vec(), answer });
            let asking = self.asking.lock().await;
            match answered.try_recv() {
                Ok(found) => return found,
                Err(oneshot::error::TryRecvError::Empty) => {}
                // Who asked for this one as well went away before the answer came.
                Err(oneshot::error::TryRecvError::Closed) => continue,
            }
            let all = std::mem::take(&mut *self.waiting());
            let keys: BTreeSet<K> = all.iter().flat_map(|waits| waits.keys.iter().copied()).collect();
            let found = ask(keys.into_iter().collect()).await;
            for waits in all {
                let own = found.as_ref().map_err(Clone::clone).map(|found| {
                    let rows = waits.keys.iter().filter_map(|key| Some((*key, found.get(key)?.clone())));
                    rows.collect()
                });
                // Who went away needs no answer.
                let _ = waits.answer.send(own);
            }
            drop(asking);
            if let Ok(found) = answered.try_recv() {
                return found;
            }
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waits<K, V>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn who_comes_while_a_question_is_under_way_is_asked_for_with_the_next_one() {
        let gather = Gather::<u32, u32>::default();
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
        let gather = Gather::<u32, u32>::default();
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
        let gather = Gather::<u32, u32>::default();
        let ask = |_| async {
            tokio::task::yield_now().await;
            Err(StoreError::Overloaded)
        };
        let (one, two) = tokio::join!(gather.get(&[1], ask), gather.get(&[2], ask));
        assert!(matches!((one, two), (Err(StoreError::Overloaded), Err(StoreError::Overloaded))));
    }
}
