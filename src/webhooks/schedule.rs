//! What follows from a try: pure, of what is known and when it ended. All times are on the scope's
//! clock.

use crate::model::{Instant, Span};

/// How long is waited after a try that failed, by the number of tries since the schedule began;
/// after the last one the delivery is dead.
pub const DELAYS: [Span; 9] = [
    Span::from_s(5),
    Span::from_s(5 * 60),
    Span::from_s(30 * 60),
    Span::from_s(2 * 3_600),
    Span::from_s(5 * 3_600),
    Span::from_s(10 * 3_600),
    Span::from_s(14 * 3_600),
    Span::from_s(20 * 3_600),
    Span::from_s(24 * 3_600),
];

/// An endpoint that failed for so long, without a success between, is disabled.
pub const FAILING_MAX: Span = Span::from_s(5 * 86_400);

/// A failure of at least so long is over with an event when it is over.
pub const FAILURE_TOLD_MIN: Span = Span::from_s(3_600);

/// What an endpoint did with a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// It answered 2xx in time.
    Taken,
    /// It answered 410: it wants no more.
    Gone,
    /// Anything else.
    Failed,
}

/// Since when an endpoint fails, without a success between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// The end of the first failure; none while it works.
    pub failing_since: Option<Instant>,
}

/// What becomes of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Delivered,
    /// It is tried again at this instant.
    Again(Instant),
    /// It is given up, until someone replays it.
    Dead,
}

/// What becomes of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Nothing to tell.
    Nothing,
    /// It works again after a failure that was worth telling.
    Recovered,
    /// It is disabled, since it answered 410.
    DisabledAsGone,
    /// It is disabled, since it failed for too long.
    DisabledAsFailing,
}

/// What follows from one try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The delivery.
    pub next: Next,
    /// The endpoint's health from now on.
    pub health: Health,
    /// The endpoint's state.
    pub told: Told,
}

/// Decides what follows from a try that ended at `ended_at`, the `nth` (from 1) since the
/// delivery's schedule began.
#[must_use]
pub fn after(health: Health, nth: usize, took: Took, ended_at: Instant) -> Verdict {
    if took == Took::Taken {
        let failed_for = health.failing_since.map(|since| ended_at.since(since));
        let told = match failed_for {
            Some(span) if span >= FAILURE_TOLD_MIN => Told::Recovered,
            _ => Told::Nothing,
        };
        return Verdict { next: Next::Delivered, health: Health::default(), told };
    }
    let health = Health { failing_since: health.failing_since.or(Some(ended_at)) };
    let told = match took {
        Took::Gone => Told::DisabledAsGone,
        _ if has_failed_too_long(health, ended_at) => Told::DisabledAsFailing,
        _ => Told::Nothing,
    };
    let next = match DELAYS.get(nth.saturating_sub(1)) {
        // A disabled endpoint has nothing pending.
        Some(delay) if told == Told::Nothing => Next::Again(ended_at.plus(*delay)),
        _ => Next::Dead,
    };
    Verdict { next, health, told }
}

/// Whether an endpoint is to be disabled for its failures. Asked after each failure, and once the
/// time is up also where nothing was tried meanwhile.
#[must_use]
pub fn has_failed_too_long(health: Health, now: Instant) -> bool {
    health.failing_since.is_some_and(|since| now.since(since) >= FAILING_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::from_ms(1_800_000_000_000);

    fn failing_for(span: Span) -> Health {
        Health { failing_since: Some(Instant::from_ms(START.ms() - span.ms())) }
    }

    #[test]
    fn a_delivery_is_tried_ten_times_on_the_fixed_schedule_and_then_dead() {
        let (mut at, mut health, mut waited) = (START, Health::default(), Vec::new());
        for nth in 1..=10 {
            let verdict = after(health, nth, Took::Failed, at);
            assert_eq!(verdict.health.failing_since, Some(START), "the first failure counts");
            health = verdict.health;
            match verdict.next {
                Next::Again(next) => {
                    waited.push(next.since(at).to_string());
                    at = next;
                }
                other => assert_eq!((nth, other), (10, Next::Dead)),
            }
        }
        assert_eq!(waited, ["5s", "5m", "30m", "2h", "5h", "10h", "14h", "20h", "1d"]);
        assert_eq!(after(health, 11, Took::Failed, at).next, Next::Dead);
    }

    #[test]
    fn a_success_ends_a_failure_and_tells_one_of_an_hour() {
        for (failing, told) in [
            (Health::default(), Told::Nothing),
            (failing_for(Span::from_ms(FAILURE_TOLD_MIN.ms() - 1)), Told::Nothing),
            (failing_for(FAILURE_TOLD_MIN), Told::Recovered),
        ] {
            let verdict = after(failing, 3, Took::Taken, START);
            assert_eq!(verdict, Verdict { next: Next::Delivered, health: Health::default(), told });
        }
    }

    #[test]
    fn five_days_of_failure_disable_and_less_does_not() {
        let short = after(failing_for(Span::from_ms(FAILING_MAX.ms() - 1)), 1, Took::Failed, START);
        assert_eq!(short.told, Told::Nothing);
        let long = after(failing_for(FAILING_MAX), 1, Took::Failed, START);
        assert_eq!((long.told, long.next), (Told::DisabledAsFailing, Next::Dead));
    }

    #[test]
    fn an_endpoint_that_is_gone_is_disabled_at_once() {
        let verdict = after(Health::default(), 1, Took::Gone, START);
        assert_eq!((verdict.told, verdict.next), (Told::DisabledAsGone, Next::Dead));
    }
}
