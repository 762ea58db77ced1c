//! One idempotency key, one mutation.
//!
//! The record of a key commits in the transaction of the mutation, which is the store's to do. Here
//! is what a key looks like, what makes two requests the same, and that a second request waits for
//! the first while it runs.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::http::HeaderMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::problem::{Code, Problem};
use crate::model::write_canonical;

/// The header of the key.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header of an answer that was given before.
pub const IDEMPOTENT_REPLAYED: &str = "idempotent-replayed";
/// The longest key, in characters.
pub const KEY_CHARS_MAX: usize = 255;

/// The key of a request that needs one.
///
/// # Errors
/// `idempotency_key_missing`, or `idempotency_key_invalid` where it is no 1 to 255 visible ASCII
/// characters or stands more than once.
pub fn key_of(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else {
        return Err(Code::IdempotencyKeyMissing.into());
    };
    let visible =
        |key: &&str| (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    match (std::str::from_utf8(key.as_bytes()).ok().filter(visible), given.next()) {
        (Some(key), None) => Ok(key),
        _ => Err(Code::IdempotencyKeyInvalid.into()),
    }
}

/// What two requests have in common that are the same: method, path, query, and the canonical form
/// of the body. To be kept as an HMAC alone, which tells nothing of what was in the body.
#[must_use]
pub fn canonical_request(method: &str, path: &str, query: &str, body: Option<&Value>) -> String {
    let mut text = String::with_capacity(512);
    for part in [method, path, query] {
        text.push_str(part);
        text.push('\n');
    }
    if let Some(body) = body {
        write_canonical(body, &mut text);
    }
    text
}

/// What is kept of a key: the first 16 bytes of its SHA-256.
#[must_use]
pub fn hash_of_key(key: &str) -> [u8; 16] {
    let mut short = [0; 16];
    short.copy_from_slice(&Sha256::digest(key)[..16]);
    short
}

/// The requests under way, by their key: the second waits until the first is done.
#[derive(Debug)]
pub struct InFlight<K>(Mutex<HashMap<K, Weak<tokio::sync::Mutex<()>>>>);

/// A place in [`InFlight`]; the next one is let in when it is dropped.
#[derive(Debug)]
pub struct Turn<'a, K: Hash + Eq + Clone> {
    of: &'a InFlight<K>,
    key: K,
    guard: Option<tokio::sync::OwnedMutexGuard<()>>,
    /// Whether another request under the key was there before.
    pub waited: bool,
}

impl<K: Hash + Eq + Clone> Default for InFlight<K> {
    fn default() -> Self {
        InFlight(Mutex::new(HashMap::new()))
    }
}

impl<K: Hash + Eq + Clone> InFlight<K> {
    /// Waits for its turn under `key`.
    pub async fn enter(&self, key: K) -> Turn<'_, K> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match locks.get(&key).and_then(Weak::upgrade) {
                Some(lock) => lock,
                None => {
                    let lock = Arc::new(tokio::sync::Mutex::new(()));
                    locks.insert(key.clone(), Arc::downgrade(&lock));
                    lock
                }
            }
        };
        match Arc::clone(&lock).try_lock_owned() {
            Ok(guard) => Turn { of: self, key, guard: Some(guard), waited: false },
            Err(_) => Turn { of: self, key, guard: Some(lock.lock_owned().await), waited: true },
        }
    }

    /// How many keys are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Hash + Eq + Clone> Drop for Turn<'_, K> {
    fn drop(&mut self) {
        let mut locks = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.guard.take());
        // Whoever waits holds the lock too; without one, nobody needs the entry any more.
        if locks.get(&self.key).is_some_and(|lock| lock.strong_count() == 0) {
            locks.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use serde_json::json;

    fn code(values: &[&[u8]]) -> Result<String, Code> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key_of(&headers).map(str::to_owned).map_err(|p| p.code)
    }

    #[test]
    fn a_key_is_1_to_255_visible_ascii_characters() {
        assert_eq!(code(&[b"!a~"]), Ok("!a~".into()));
        assert_eq!(code(&[&[b'x'; 255]]), Ok("x".repeat(255)));
        assert_eq!(code(&[]), Err(Code::IdempotencyKeyMissing));
        for bad in [&b""[..], b"a b", b"a\tb", "ä".as_bytes(), b"\xff", &[b'x'; 256]] {
            assert_eq!(code(&[bad]), Err(Code::IdempotencyKeyInvalid));
        }
        assert_eq!(code(&[b"a", b"a"]), Err(Code::IdempotencyKeyInvalid));
    }

    #[test]
    fn the_same_request_is_the_same_however_its_body_is_written() {
        let of = |body: &str, path: &str| {
            let body: Value = serde_json::from_str(body).unwrap();
            canonical_request("POST", path, "", Some(&body))
        };
        let first = of(r#"{"a": 1, "b": [1.50]}"#, "/x");
        assert_eq!(first, of(r#"{"b":[1.5],"a":1.0}"#, "/x"));
        assert_ne!(first, of(r#"{"a": 1, "b": [1.50]}"#, "/y"));
        assert_ne!(first, of(r#"{"a": 2, "b": [1.50]}"#, "/x"));
        let all = [
            canonical_request("POST", "/x", "", None),
            canonical_request("PUT", "/x", "", None),
            canonical_request("POST", "/x", "a=1", None),
            canonical_request("POST", "/x", "", Some(&json!({}))),
        ];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b), "{i}");
        }
    }

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_nothing_is_left_behind() {
        let in_flight = InFlight::default();
        let first = in_flight.enter(7).await;
        let other = in_flight.enter(8).await;
        {
            let mut second = std::pin::pin!(in_flight.enter(7));
            assert!(futures_util::poll!(second.as_mut()).is_pending());
            assert!(!first.waited);
            drop(first);
            assert!(
                matches!(futures_util::poll!(second.as_mut()), std::task::Poll::Ready(turn) if turn.waited)
            );
        }
        drop(other);
        assert!(in_flight.is_empty(), "{} left", in_flight.len());
    }
}
