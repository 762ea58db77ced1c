//! Whether one who listens hears, and how soon: tried by telling oneself something.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::PgListener;
use tokio::time::Instant;

use super::connect::Connector;
use super::error::told;
use crate::store::{Finding, Severity, StoreError};

/// The channel of the try; no node listens to it.
const CHANNEL: &str = "spine_doctor";
/// How long it is waited for.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Later than nodes hear of each other by their poll.
const LATE: Duration = Duration::from_secs(1);

/// Tells itself something on a connection like the nodes': what is wrong with how that was heard.
pub(super) async fn look(connector: &Connector) -> Result<Option<Finding>, StoreError> {
    let listens = connector.pool(1);
    let heard = heard_after(&listens, connector).await;
    listens.close().await;
    Ok(judged(heard?))
}

/// After what time it was heard; `None` where it was not.
async fn heard_after(
    listens: &sqlx::postgres::PgPool,
    connector: &Connector,
) -> Result<Option<Duration>, StoreError> {
    let mut listener = PgListener::connect_with(listens).await.map_err(|error| told(&error))?;
    listener.listen(CHANNEL).await.map_err(|error| told(&error))?;
    let mut tells = connector.connect().await?;
    let word = format!("{:?}", Instant::now());
    let begun = Instant::now();
    let mut tx = tells.begin().await.map_err(|error| told(&error))?;
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(&word)
        .persistent(false)
        .execute(&mut *tx)
        .await
        .map_err(|error| told(&error))?;
    tx.commit().await.map_err(|error| told(&error))?;
    let heard = async {
        // Another doctor may be at work.
        while listener.recv().await.map_err(|error| told(&error))?.payload() != word {}
        Ok(begun.elapsed())
    };
    tokio::time::timeout(WAIT_MAX, heard).await.ok().transpose()
}

fn judged(heard: Option<Duration>) -> Option<Finding> {
    let message = match heard {
        Some(after) if after < LATE => return None,
        Some(after) => format!("what is told is heard {:.1} s later", after.as_secs_f64()),
        None => format!("what is told is not heard within {} s", WAIT_MAX.as_secs()),
    };
    let help = "nodes hear of each other by their poll meanwhile, up to a second later; behind a pooler in \
                transaction mode set `database.listens: false`, else look for what keeps the database busy";
    Some(Finding {
        severity: Severity::Warning,
        name: "listener-lag",
        place: "notifications".to_owned(),
        message,
        help: help.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_late_or_never_is_told_and_what_is_heard_soon_is_not() {
        let told = |heard: Option<u64>| judged(heard.map(Duration::from_millis)).map(|found| found.message);
        assert_eq!(told(Some(999)), None);
        assert_eq!(told(Some(1_500)).as_deref(), Some("what is told is heard 1.5 s later"));
        assert_eq!(told(None).as_deref(), Some("what is told is not heard within 3 s"));
    }
}
