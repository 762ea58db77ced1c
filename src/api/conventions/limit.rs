//! Rate limits: a token bucket a key, shown on every answer by the IETF fields.
//!
//! Where several nodes answer, each lets an equal part of a key's requests through: a request takes as many
//! tokens of a node's bucket as there are nodes. So what is in the buckets stays when a node joins or leaves.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, Reference};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

/// A clock that is handed in: the time since some fixed moment.
#[derive(Clone)]
pub struct Steady(Arc<dyn Fn() -> Duration + Send + Sync>);

impl fmt::Debug for Steady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steady")
    }
}

impl Steady {
    /// The clock that `now` reads.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Steady {
        Steady(Arc::new(now))
    }
}

impl Clock for Steady {
    type Instant = Duration;
    fn now(&self) -> Duration {
        (self.0)()
    }
}

/// How much a key may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back a second.
    pub requests_per_second: NonZeroU32,
    /// Tokens that a full bucket holds.
    pub burst: NonZeroU32,
}

impl Rate {
    /// 1,000 a second, 2,000 at once.
    pub const DEFAULT: Rate = match (NonZeroU32::new(1_000), NonZeroU32::new(2_000)) {
        (Some(requests_per_second), Some(burst)) => Rate { requests_per_second, burst },
        _ => Rate { requests_per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN },
    };
}

/// The bucket after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// How many requests a full bucket lets through at this node.
    pub burst: u32,
    /// How many it lets through at once now.
    pub remaining: u32,
    /// Seconds until a token is there, where there was none for this request.
    pub refused_for_s: Option<u64>,
}

type OfKeys = RateLimiter<u128, DashMapStateStore<u128>, Steady, StateInformationMiddleware>;

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// The buckets of all keys.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    clock: Steady,
    buckets: RwLock<Arc<Buckets>>,
}

/// The buckets, and how many tokens a full one holds.
#[derive(Debug)]
struct Buckets {
    capacity: NonZeroU32,
    of_keys: OfKeys,
}

impl Buckets {
    fn new(rate: Rate, capacity: NonZeroU32, clock: &Steady) -> Arc<Buckets> {
        let quota = Quota::per_second(rate.requests_per_second).allow_burst(capacity);
        let of_keys = RateLimiter::dashmap_with_clock(quota, clock.clone())
            .with_middleware::<StateInformationMiddleware>();
        Arc::new(Buckets { capacity, of_keys })
    }
}

impl Limiter {
    /// Full buckets.
    #[must_use]
    pub fn new(rate: Rate, clock: Steady) -> Limiter {
        let buckets = RwLock::new(Buckets::new(rate, rate.burst, &clock));
        Limiter { rate, clock, buckets }
    }

    /// Lets a request of `key` through, if there is room for it where `nodes` of them answer.
    #[must_use]
    pub fn take(&self, key: u128, nodes: NonZeroU32) -> Bucket {
        let buckets = self.buckets(nodes);
        let burst = buckets.capacity.get() / nodes;
        match buckets.of_keys.check_key_n(&key, nodes) {
            Ok(Ok(state)) => {
                Bucket { burst, remaining: state.remaining_burst_capacity() / nodes, refused_for_s: None }
            }
            Ok(Err(until)) => {
                let wait = until.earliest_possible().duration_since(self.clock.now());
                let wait: Duration = wait.into();
                let refused_for_s = Some(wait.as_millis().div_ceil(1_000).max(1) as u64);
                Bucket { burst, remaining: 0, refused_for_s }
            }
            // A bucket that was made for fewer nodes, at this very moment.
            Err(_) => Bucket { burst, remaining: 0, refused_for_s: Some(1) },
        }
    }

    /// The buckets. Where there are more nodes than a full one holds tokens, new ones are made in which
    /// there is room for one request.
    fn buckets(&self, nodes: NonZeroU32) -> Arc<Buckets> {
        let capacity = self.rate.burst.max(nodes);
        {
            let buckets = self.buckets.read().unwrap_or_else(PoisonError::into_inner);
            if buckets.capacity == capacity {
                return Arc::clone(&buckets);
            }
        }
        let mut buckets = self.buckets.write().unwrap_or_else(PoisonError::into_inner);
        if buckets.capacity != capacity {
            *buckets = Buckets::new(self.rate, capacity, &self.clock);
        }
        Arc::clone(&buckets)
    }

    /// Forgets the buckets that are full again. To be called each minute.
    pub fn forget_full(&self) {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner).of_keys.retain_recent();
    }

    /// Writes `RateLimit-Policy` and `RateLimit`: this node's part.
    pub fn write_headers(&self, bucket: Bucket, headers: &mut HeaderMap) {
        // As long as the whole takes, for each node has the same part of the tokens and of the rate.
        let (whole, rate) = (self.rate.burst.get(), self.rate.requests_per_second.get());
        let (burst, window) = (bucket.burst, whole.div_ceil(rate));
        let missing = u64::from(burst.saturating_sub(bucket.remaining)) * u64::from(whole.max(burst));
        let full_again = missing.div_ceil(u64::from(burst.max(1)) * u64::from(rate));
        for (name, value) in [
            (RATELIMIT_POLICY, format!("\"default\";q={burst};w={window}")),
            (RATELIMIT, format!("\"default\";r={};t={full_again}", bucket.remaining)),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn a_bucket_a_key_that_fills_with_time_and_shows_itself() {
        let now = Arc::new(AtomicU64::new(5_000));
        let read = Arc::clone(&now);
        let clock = Steady::new(move || Duration::from_millis(read.load(Ordering::Relaxed)));
        let two = NonZeroU32::new(2).unwrap();
        let rate = Rate { requests_per_second: two, burst: NonZeroU32::new(3).unwrap() };
        let limiter = Limiter::new(rate, clock);
        let shown = |bucket| {
            let mut headers = HeaderMap::new();
            limiter.write_headers(bucket, &mut headers);
            (
                headers["ratelimit-policy"].to_str().unwrap().to_owned(),
                headers["ratelimit"].to_str().unwrap().to_owned(),
            )
        };
        let one = NonZeroU32::MIN;
        assert_eq!(shown(limiter.take(1, one)), ("\"default\";q=3;w=2".into(), "\"default\";r=2;t=1".into()));
        assert_eq!(limiter.take(1, one).remaining, 1);
        assert_eq!(limiter.take(1, one), Bucket { burst: 3, remaining: 0, refused_for_s: None });
        assert_eq!(limiter.take(1, one), Bucket { burst: 3, remaining: 0, refused_for_s: Some(1) });
        assert_eq!(limiter.take(2, one).remaining, 2, "another key has a bucket of its own");
        now.fetch_add(500, Ordering::Relaxed);
        assert_eq!(limiter.take(1, one).refused_for_s, None, "half a second brings one token back");
        assert_eq!(limiter.take(1, one).refused_for_s, Some(1));
        now.fetch_add(60_000, Ordering::Relaxed);
        limiter.forget_full();
        assert_eq!(limiter.take(1, one).remaining, 2);
    }

    /// What all nodes let through together in so many seconds: (nodes, rate, burst, seconds, let through).
    #[test]
    fn several_nodes_let_through_together_what_one_does() {
        for (nodes, rate, burst, seconds, whole) in [
            (1, 10, 20, 30, 320),
            (2, 10, 20, 30, 320),
            // Of 20 tokens each of three nodes lets six requests through at once.
            (3, 10, 20, 30, 318),
            // Where there are more nodes than tokens, each waits for its turn.
            (4, 2, 1, 30, 64),
        ] {
            let now = Arc::new(AtomicU64::new(0));
            let limiters: Vec<Limiter> = (0..nodes)
                .map(|_| {
                    let read = Arc::clone(&now);
                    let clock = Steady::new(move || Duration::from_millis(read.load(Ordering::Relaxed)));
                    let of = |number: u32| NonZeroU32::new(number).unwrap();
                    Limiter::new(Rate { requests_per_second: of(rate), burst: of(burst) }, clock)
                })
                .collect();
            let mut through = 0;
            for step in 0..=seconds * 10 {
                now.store(step * 100, Ordering::Relaxed);
                for limiter in &limiters {
                    while limiter.take(1, NonZeroU32::new(nodes).unwrap()).refused_for_s.is_none() {
                        through += 1;
                    }
                }
            }
            assert_eq!(through, whole, "{nodes} nodes, {rate} a second, {burst} at once");
        }
    }

    #[test]
    fn a_node_that_joins_gives_nobody_a_full_bucket_again() {
        let of = |number| NonZeroU32::new(number).unwrap();
        let limiter = Limiter::new(
            Rate { requests_per_second: of(1), burst: of(8) },
            Steady::new(|| Duration::from_secs(5)),
        );
        for _ in 0..6 {
            assert_eq!(limiter.take(1, of(1)).refused_for_s, None);
        }
        assert_eq!(limiter.take(1, of(2)), Bucket { burst: 4, remaining: 0, refused_for_s: None });
        assert_eq!(limiter.take(1, of(2)).refused_for_s, Some(2));
    }
}
