//! Rate limits: a token bucket a key, shown on every answer by the IETF fields.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
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
    /// Tokens left.
    pub remaining: u32,
    /// Seconds until a token is there, where there was none for this request.
    pub refused_for_s: Option<u64>,
}

type Buckets = RateLimiter<u128, DashMapStateStore<u128>, Steady, StateInformationMiddleware>;

/// The buckets of all keys.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    clock: Steady,
    buckets: Buckets,
}

impl Limiter {
    /// Full buckets.
    #[must_use]
    pub fn new(rate: Rate, clock: Steady) -> Limiter {
        let quota = Quota::per_second(rate.requests_per_second).allow_burst(rate.burst);
        let buckets = RateLimiter::dashmap_with_clock(quota, clock.clone())
            .with_middleware::<StateInformationMiddleware>();
        Limiter { rate, clock, buckets }
    }

    /// Takes a token of `key`, if there is one.
    #[must_use]
    pub fn take(&self, key: u128) -> Bucket {
        match self.buckets.check_key(&key) {
            Ok(state) => Bucket { remaining: state.remaining_burst_capacity(), refused_for_s: None },
            Err(until) => {
                let wait = until.earliest_possible().duration_since(self.clock.now());
                let wait: Duration = wait.into();
                Bucket { remaining: 0, refused_for_s: Some(wait.as_millis().div_ceil(1_000).max(1) as u64) }
            }
        }
    }

    /// Forgets the buckets that are full again. To be called each minute.
    pub fn forget_full(&self) {
        self.buckets.retain_recent();
    }

    /// Writes `RateLimit-Policy` and `RateLimit`.
    pub fn write_headers(&self, bucket: Bucket, headers: &mut HeaderMap) {
        let (burst, rate) = (self.rate.burst.get(), self.rate.requests_per_second.get());
        let window = burst.div_ceil(rate);
        let full_again = (burst.saturating_sub(bucket.remaining)).div_ceil(rate);
        for (name, value) in [
            ("ratelimit-policy", format!("\"default\";q={burst};w={window}")),
            ("ratelimit", format!("\"default\";r={};t={full_again}", bucket.remaining)),
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
        assert_eq!(shown(limiter.take(1)), ("\"default\";q=3;w=2".into(), "\"default\";r=2;t=1".into()));
        assert_eq!(limiter.take(1).remaining, 1);
        assert_eq!(limiter.take(1), Bucket { remaining: 0, refused_for_s: None });
        assert_eq!(limiter.take(1), Bucket { remaining: 0, refused_for_s: Some(1) });
        assert_eq!(limiter.take(2).remaining, 2, "another key has a bucket of its own");
        now.fetch_add(500, Ordering::Relaxed);
        assert_eq!(limiter.take(1).refused_for_s, None, "half a second brings one token back");
        assert_eq!(limiter.take(1).refused_for_s, Some(1));
        now.fetch_add(60_000, Ordering::Relaxed);
        limiter.forget_full();
        assert_eq!(limiter.take(1).remaining, 2);
    }
}
