//! A commit whose answer was lost: what became of it.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Row as _};

use super::shared::Base;
use super::verdict::Facts;
use crate::store::StoreError;

/// How long it is asked for before it is given up.
const ASK_FOR: Duration = Duration::from_secs(45);
/// How long it waits before it asks again.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it may be still under way before the process that works for it is ended.
const PATIENCE: u32 = 20;

/// What became of a commit.
#[derive(Debug)]
pub(super) enum Found {
    Committed,
    Aborted,
    /// It cannot be found out; why.
    Unknown(String),
}

/// Asks on connections of its own, until there is an answer.
pub(super) async fn find_out(base: &Base, facts: &Facts) -> Found {
    tracing::warn!(
        transaction = facts.transaction,
        "the answer to a commit was lost, asking what became of it"
    );
    let mut last = String::new();
    let asking = async {
        for tries in 0_u32.. {
            match ask(base, facts, tries >= PATIENCE).await {
                Ok(Some(found)) => return found,
                Ok(None) => last = "it is still under way".into(),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        Found::Unknown(String::new())
    };
    match tokio::time::timeout(ASK_FOR, asking).await {
        Ok(found) => found,
        Err(_) => Found::Unknown(format!("what became of a commit could not be found out: {last}")),
    }
}

async fn ask(base: &Base, facts: &Facts, ends_it: bool) -> Result<Option<Found>, StoreError> {
    let mut conn = base.connector.connect().await?;
    // In a transaction: a pooler in transaction mode gives a question one server only there.
    let mut tx = conn.begin().await.map_err(|error| super::error::told(&error))?;
    let found = status(&mut tx, facts, ends_it).await;
    let _ = tx.rollback().await;
    let _ = conn.close().await;
    found
}

async fn status(conn: &mut PgConnection, facts: &Facts, ends_it: bool) -> Result<Option<Found>, StoreError> {
    let sql = "SELECT pg_xact_status($1::xid8), pg_is_in_recovery(), \
               CASE WHEN $3 THEN pg_terminate_backend(pid) END \
               FROM (SELECT 1) AS one LEFT JOIN pg_stat_activity \
                 ON pid = $2 AND backend_xid = ($1::xid8)::xid AND usename = current_user";
    let row = sqlx::query(sql)
        .persistent(false)
        .bind(&facts.transaction)
        .bind(i32::try_from(facts.process).unwrap_or_default())
        .bind(ends_it)
        .fetch_one(conn)
        .await;
    match row {
        Ok(row) => Ok(match row.get::<Option<&str>, _>(0) {
            Some("committed") => Some(Found::Committed),
            Some("aborted") => Some(Found::Aborted),
            Some(_) => None,
            None => Some(Found::Unknown("the database does not know that transaction any more".into())),
        }),
        // Another server took over that had not heard of the transaction: it does not stand there.
        Err(error) if error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("22023")) => {
            Ok(Some(Found::Aborted))
        }
        Err(error) => Err(super::error::told(&error)),
    }
}
