//! The clocks: real time, handed in, and each scope's own, which a test can move on.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::{Clock, Instant, ScopeId, Span};

/// Real time. The one place where a program's clock is read stands behind it.
pub trait RealTime: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Instant;
    /// Ends when `now` has come to `at`; may end earlier.
    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemTime;

impl RealTime for SystemTime {
    fn now(&self) -> Instant {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Instant::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        // A clock that is set back must not make anybody sleep for hours past the instant that the
        // monotonic clock would give: a short sleep, then another look.
        let span = at.since(self.now()).ms().clamp(0, LOOK_AGAIN_MS);
        Box::pin(tokio::time::sleep(std::time::Duration::from_millis(span.unsigned_abs())))
    }
}

/// The longest sleep before the clock is looked at again.
const LOOK_AGAIN_MS: i64 = 30_000;

/// One scope's clock.
#[derive(Debug, Clone, Copy, Default)]
struct ScopeClock {
    /// How far it is ahead of real time.
    ahead_ms: i64,
    /// While an advance is under way: what it shows.
    held_at: Option<Instant>,
    /// The latest that it ever showed: it never goes back, whatever real time does.
    last: Option<Instant>,
}

/// All clocks of a process.
pub struct Clocks {
    real: Arc<dyn RealTime>,
    scopes: Mutex<BTreeMap<ScopeId, ScopeClock>>,
    /// Those who wait are woken in the order in which they began to, which a watch does not promise:
    /// what happens at one instant happens in one order.
    moved: Notify,
    lease: Mutex<Lease>,
    renewed: Notify,
}

/// For how long what this process does may leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// There is none: nobody else goes on with the work.
    None,
    /// From the instant at which its renewal was asked for, which is before the store counts from, to
    /// its end.
    Held(Instant, Instant),
    /// It has ended, for good.
    Over,
}

impl std::fmt::Debug for Clocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clocks")
    }
}

impl Clocks {
    /// All on real time.
    #[must_use]
    pub fn new(real: Arc<dyn RealTime>) -> Clocks {
        Clocks {
            real,
            scopes: Mutex::default(),
            moved: Notify::new(),
            lease: Mutex::new(Lease::None),
            renewed: Notify::new(),
        }
    }

    /// Sets how far a scope's clock is ahead of real time.
    pub(super) fn set_ahead(&self, scope: ScopeId, ahead_ms: i64) {
        let clock = &mut self.scopes();
        let clock = clock.entry(scope).or_default();
        clock.ahead_ms = ahead_ms;
        clock.held_at = None;
        self.moved.notify_waiters();
    }

    /// Holds a scope's clock at an instant, for an advance that is under way.
    pub(super) fn hold(&self, scope: ScopeId, at: Instant) {
        self.scopes().entry(scope).or_default().held_at = Some(at);
        self.moved.notify_waiters();
    }

    /// Ends once real time has come to `at`.
    pub(super) async fn real_until(&self, at: Instant) {
        while self.real.now() < at {
            self.real.sleep_until(at).await;
        }
    }

    /// Sleeps once until about `at`. One that is to come whatever is done to the clock meanwhile does
    /// not look at it again.
    pub(super) async fn real_sleep(&self, at: Instant) {
        self.real.sleep_until(at).await;
    }

    /// The lease was renewed, as of the instant at which that was asked for.
    pub(super) fn hold_lease(&self, asked_at: Instant, lease: Span) {
        {
            let mut held = self.lease();
            if *held == Lease::Over {
                return;
            }
            *held = Lease::Held(asked_at, asked_at.plus(lease));
        }
        self.renewed.notify_waiters();
    }

    /// The lease has ended, for good.
    pub(super) fn end_lease(&self) {
        *self.lease() = Lease::Over;
        self.renewed.notify_waiters();
    }

    /// Ends with `true` once something may leave the process, with `false` once nothing ever may.
    pub(super) async fn until_may_act(&self) -> bool {
        loop {
            let renewed = self.renewed.notified();
            tokio::pin!(renewed);
            renewed.as_mut().enable();
            let held = *self.lease();
            if self.holds(held) {
                return true;
            }
            if held == Lease::Over {
                return false;
            }
            renewed.await;
        }
    }

    fn lease(&self) -> MutexGuard<'_, Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds(&self, lease: Lease) -> bool {
        match lease {
            Lease::None => true,
            // A clock that was set back says nothing of what has passed.
            Lease::Held(from, to) => (from..to).contains(&self.real.now()),
            Lease::Over => false,
        }
    }

    fn scopes(&self) -> MutexGuard<'_, BTreeMap<ScopeId, ScopeClock>> {
        self.scopes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for Clocks {
    fn real_now(&self) -> Instant {
        self.real.now()
    }

    fn scope_now(&self, scope: ScopeId) -> Instant {
        let mut scopes = self.scopes();
        let clock = scopes.entry(scope).or_default();
        let shown = clock.held_at.unwrap_or_else(|| Instant::from_ms(self.real.now().ms() + clock.ahead_ms));
        let now = clock.last.map_or(shown, |last| last.max(shown));
        clock.last = Some(now);
        now
    }

    fn may_act(&self) -> bool {
        let held = *self.lease();
        self.holds(held)
    }

    fn until(&self, scope: ScopeId, at: Instant) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let moved = self.moved.notified();
                tokio::pin!(moved);
                moved.as_mut().enable();
                let now = self.scope_now(scope);
                if now >= at {
                    return;
                }
                let held = self.scopes().get(&scope).is_some_and(|clock| clock.held_at.is_some());
                let wake = self.real.now().plus(Span::from_ms(at.ms() - now.ms()));
                tokio::select! {
                    biased;
                    () = moved => {}
                    () = self.real.sleep_until(wake), if !held => {}
                }
            }
        })
    }
}
