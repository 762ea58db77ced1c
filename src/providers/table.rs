//! What an HTTP status means where a provider's own codes say nothing (providers page).

use std::fmt;

use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::model::{Instant, Outcome, Span};

/// A status, what it says of an attempt, and why.
struct Row {
    statuses: std::ops::RangeInclusive<u16>,
    outcome: Outcome,
    meaning: &'static str,
}

const fn row(first: u16, last: u16, outcome: Outcome, meaning: &'static str) -> Row {
    Row { statuses: first..=last, outcome, meaning }
}

/// The first row that holds a status decides.
static ROWS: &[Row] = &[
    row(200, 299, Outcome::Accepted, "taken"),
    row(
        300,
        399,
        Outcome::AccountFault,
        "a redirect, which is not followed: the URL in the settings is not the right one",
    ),
    row(400, 400, Outcome::ContentFault, "the request was not understood"),
    row(401, 403, Outcome::AccountFault, "credentials, funds or rights are missing"),
    row(404, 404, Outcome::RecipientFault, "there is no such recipient"),
    row(408, 408, Outcome::Transient, "the provider waited too long for the request"),
    row(410, 410, Outcome::RecipientFault, "the recipient does not exist any more"),
    row(413, 413, Outcome::ContentFault, "the content is too long"),
    row(422, 422, Outcome::ContentFault, "the content is not allowed"),
    row(425, 425, Outcome::Transient, "too early"),
    row(429, 429, Outcome::RateLimited, "too many calls"),
    row(400, 499, Outcome::AccountFault, "the provider does not take calls of this form"),
    row(500, 599, Outcome::Transient, "the provider has a fault of its own"),
];

/// The outcome of an answer with `status`, and what that status means. A status that HTTP does not
/// know says nothing of what was done, so it leaves the attempt in doubt.
pub(super) fn by_status(status: u16) -> (Outcome, impl fmt::Display) {
    let found = ROWS.iter().find(|row| row.statuses.contains(&status));
    let (outcome, meaning) =
        found.map_or((Outcome::InDoubt, "not a status of HTTP"), |row| (row.outcome, row.meaning));
    (outcome, format!("HTTP {status}: {meaning}"))
}

/// `Retry-After`, in seconds or as a date, seen at `now`; nothing where it cannot be read.
pub(super) fn retry_after(headers: &HeaderMap, now: Instant) -> Option<Span> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(span_of_s(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let wait_ms = date.as_millisecond() - now.ms();
    (wait_ms > 0).then(|| Span::from_ms(wait_ms.min(Span::MAX.ms())))
}

/// So many seconds, at most [`Span::MAX`].
fn span_of_s(seconds: u64) -> Span {
    let ms = i64::try_from(seconds).ok().and_then(|s| s.checked_mul(1000)).unwrap_or(i64::MAX);
    Span::from_ms(ms.min(Span::MAX.ms()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_falls_where_the_providers_page_puts_it() {
        for (status, outcome) in [
            (200, Outcome::Accepted),
            (202, Outcome::Accepted),
            (301, Outcome::AccountFault),
            (400, Outcome::ContentFault),
            (401, Outcome::AccountFault),
            (402, Outcome::AccountFault),
            (403, Outcome::AccountFault),
            (404, Outcome::RecipientFault),
            (405, Outcome::AccountFault),
            (408, Outcome::Transient),
            (410, Outcome::RecipientFault),
            (425, Outcome::Transient),
            (429, Outcome::RateLimited),
            (500, Outcome::Transient),
            (503, Outcome::Transient),
            (599, Outcome::Transient),
            (999, Outcome::InDoubt),
        ] {
            assert_eq!(by_status(status).0, outcome, "{status}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Instant = "2015-10-21T07:27:00Z".parse().unwrap();
        for (text, wait) in [
            ("120", Some(Span::from_s(120))),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(Span::from_s(60))),
            ("Wed, 21 Oct 2015 07:26:00 GMT", None),
            ("99999999999999999999", None),
            ("9999999999999999999", Some(Span::MAX)),
            ("-1", None),
            ("soon", None),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), wait, "{text}");
        }
    }
}
