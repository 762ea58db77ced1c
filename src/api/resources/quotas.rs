//! Quotas: limits, and how much of them is used.

use std::sync::Arc;

use axum::http::Method;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Deserialize;

use super::lists::{ListOf, PlainQuery};
use crate::api::call::{Answer, Call, Deed};
use crate::api::conventions::problem::{Code, Problem};
use crate::api::endpoint::{Access, Endpoint, Permission, Request};
use crate::api::kept::Keep;
use crate::engine::front::Changed;
use crate::model::Instant;
use crate::model::shapes::{Quota, QuotaName, QuotaUse};
use crate::store::rows::QuotaRow;
use crate::store::{Change, Listed, PageStart, Positioned};

const TAG: &str = "quotas";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/quotas", Access::Permission(Permission::Read), list)
            .about(TAG, "List all quotas, limits and usage")
            .gives::<ListOf<Quota>>(200, "All quotas.")
            .refuses(&[Code::CursorInvalid]),
        Endpoint::change(Method::PUT, "/quotas/{name}", Permission::Manage, set)
            .about(TAG, "Set the limits of a quota")
            .gives::<Quota>(200, "The quota."),
    ]
}

/// The limits of a quota. What is left out is no limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetQuota {
    /// How many a day in UTC; null for no limit, 0 lets nothing pass.
    day: Option<Count>,
    /// How many a month in UTC; null for no limit, 0 lets nothing pass.
    month: Option<Count>,
}

/// A number of messages.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Count(#[schemars(range(min = 0, max = 1_000_000_000_000_u64))] u64);

impl Request for SetQuota {}

/// The ends of the day and of the month in which `now` lies, in UTC.
fn ends(now: Instant) -> (Instant, Instant) {
    let at = Timestamp::from_millisecond(now.ms()).unwrap_or(Timestamp::UNIX_EPOCH);
    let today = TimeZone::UTC.to_datetime(at).date();
    let midnight = |date: Date| {
        let at = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX);
        Instant::from_ms(at.as_millisecond())
    };
    let tomorrow = today.tomorrow().map_or(now, midnight);
    let next_month = today.last_of_month().tomorrow().map_or(now, midnight);
    (tomorrow, next_month)
}

async fn all(call: &Call) -> Result<Vec<Quota>, Problem> {
    let limits = call.scope.quotas().await?;
    let usage = call.app.front.usage(Arc::clone(&call.scope)).await?;
    let (day_ends, month_ends) = ends(call.now());
    let quota = |name: QuotaName| {
        let limit = limits.iter().find(|row| row.name == name.word());
        let (day, month) = usage.get(name.word()).copied().unwrap_or_default();
        Quota {
            name,
            day: QuotaUse { limit: limit.and_then(|l| l.day), used: day, resets_at: day_ends },
            month: QuotaUse { limit: limit.and_then(|l| l.month), used: month, resets_at: month_ends },
        }
    };
    Ok(QuotaName::all().map(quota).collect())
}

async fn list(call: Call, query: PlainQuery) -> Result<Answer, Problem> {
    let (page, bound) = query.parts();
    let page = call.page(&page, &bound)?;
    // A short list that never changes its length; its places count down, as those of all lists do.
    let quotas = all(&call).await?;
    let count = i64::try_from(quotas.len()).unwrap_or_default();
    let numbered = (0..count).zip(quotas).map(|(at, row)| Positioned { n: count - at, row });
    let mut rows: Vec<Positioned<Quota>> = numbered
        .filter(|row| match page.start {
            PageStart::Newest => true,
            PageStart::After(n) => row.n < n,
            PageStart::Before(n) => row.n > n,
        })
        .collect();
    let limit = usize::try_from(page.limit).unwrap_or_default();
    let has_more = rows.len() > limit;
    if let PageStart::Before(_) = page.start {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    rows.truncate(limit);
    call.listed(page, &bound, Listed { rows, has_more }, Ok)
}

async fn set(call: Call, body: SetQuota) -> Result<Answer, Problem> {
    let name: QuotaName = call.text(0).parse().map_err(|_| Problem::not_found())?;
    let row =
        QuotaRow { name: name.word().to_owned(), day: body.day.map(|c| c.0), month: body.month.map(|c| c.0) };
    let mut quota = all(&call).await?.into_iter().find(|q| q.name == name).ok_or_else(Problem::not_found)?;
    (quota.day.limit, quota.month.limit) = (row.day, row.month);
    let answer = Answer::json(200, &quota)?;
    let change = Change { quotas: vec![row], ..Change::default() };
    let deed = Deed { what: "quota.set", object_id: name.word() };
    let answer = call.commit(change, deed, answer, Keep::Plain).await?;
    call.app.front.changed(call.scope.id(), Changed::Quota);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_with_the_day_and_the_month_in_utc() {
        let ends = |text: &str| {
            let (day, month) = ends(text.parse().unwrap());
            (day.to_string(), month.to_string())
        };
        let told = ("2026-02-28T12:00:00Z", "2026-03-01T00:00:00.000Z");
        assert_eq!(ends(told.0), (told.1.into(), told.1.into()));
        assert_eq!(
            ends("2026-12-30T23:59:59.999Z"),
            ("2026-12-31T00:00:00.000Z".into(), "2027-01-01T00:00:00.000Z".into())
        );
        assert_eq!(ends("2026-01-01T00:00:00Z").0, "2026-01-02T00:00:00.000Z");
    }
}
