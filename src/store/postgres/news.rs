//! What nodes tell each other: that there is something to look at, and which events are new.
//!
//! By NOTIFY, never in the transaction that wrote it (such commits wait for each other, in all of the
//! database) but after it, gathered for a few milliseconds, and heard on a connection of its own.
//! Everything also works without: each node asks once a second.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Weak;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::mpsc;

use super::connect::{As, Connector, Held};
use super::shared::Base;
use super::store::Inner;
use crate::model::ScopeId;
use crate::store::read::decode::get;
use crate::store::{NodeId, Position, StoreError};

/// The channel.
const CHANNEL: &str = "spine";
/// How long what is to be told is gathered.
const GATHER: Duration = Duration::from_millis(10);
/// How often it is asked for what was not heard.
const ASK_EACH: Duration = Duration::from_secs(1);
/// How long it waits before it listens again.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// The most bytes of a message; the database takes 8,000.
const MESSAGE_BYTES_MAX: usize = 7_000;

/// Something that others shall hear.
enum Told {
    Event(ScopeId, Position),
    Ring,
}

/// The way to the task that tells.
pub(super) struct Teller(mpsc::UnboundedSender<Told>);

/// What that task takes in.
pub(super) struct ToTell(mpsc::UnboundedReceiver<Told>);

impl Teller {
    /// The way, and its end.
    pub(super) fn new() -> (Teller, ToTell) {
        let (sender, told) = mpsc::unbounded_channel();
        (Teller(sender), ToTell(told))
    }

    /// An event of a scope was committed.
    pub(super) fn event(&self, scope: ScopeId, n: Position) {
        let _ = self.0.send(Told::Event(scope, n));
    }

    /// There is something to look at.
    pub(super) fn ring(&self) {
        let _ = self.0.send(Told::Ring);
    }
}

/// Tells, until the store is gone.
pub(super) async fn tell(base: Weak<Base>, mut told: ToTell, speaks: bool) {
    while let Some(first) = told.0.recv().await {
        if !speaks {
            continue;
        }
        tokio::time::sleep(GATHER).await;
        let mut events: BTreeMap<ScopeId, Position> = BTreeMap::new();
        let mut rings = false;
        let mut next = Some(first);
        while let Some(news) = next {
            match news {
                Told::Event(scope, n) => {
                    let newest = events.entry(scope).or_insert(n);
                    *newest = n.max(*newest);
                }
                Told::Ring => rings = true,
            }
            next = told.0.try_recv().ok();
        }
        let Some(base) = base.upgrade() else { return };
        if !rings && base.is_alone() {
            continue;
        }
        for message in messages(base.me.node, &events, rings) {
            // What is not told is asked for within a second.
            let sql =
                format!("SET LOCAL synchronous_commit=off;SELECT pg_notify('{CHANNEL}', '{message}');COMMIT");
            match Held::begin(&base.writers, As::Registry, &sql).await {
                Ok((held, _)) => held.ended(),
                Err(fault) => tracing::debug!(error = %fault.told(), "others are not told"),
            }
        }
    }
}

/// `node;ring;scope=n,scope=n`
fn messages(node: NodeId, events: &BTreeMap<ScopeId, Position>, rings: bool) -> Vec<String> {
    let head = |rings: bool| format!("{node};{};", u8::from(rings));
    let mut all = vec![head(rings)];
    for (scope, n) in events {
        if all.last().is_some_and(|last| last.len() > MESSAGE_BYTES_MAX) {
            all.push(head(false));
        }
        if let Some(last) = all.last_mut() {
            // Writing into a string does not fail.
            let _ = write!(last, "{}={n},", scope.0);
        }
    }
    all
}

/// The newest event of a scope.
type Newest = (ScopeId, Position);

/// A message as it was heard: from whom, whether it rings, and new events.
fn heard(text: &str) -> Option<(NodeId, bool, Vec<Newest>)> {
    let mut parts = text.splitn(3, ';');
    let node = NodeId(parts.next()?.parse().ok()?);
    let rings = parts.next()? == "1";
    let events = parts.next()?.split_terminator(',').filter_map(|event| {
        let (scope, n) = event.split_once('=')?;
        Some((ScopeId(scope.parse().ok()?), n.parse().ok()?))
    });
    Some((node, rings, events.collect()))
}

/// Listens, until the store is gone.
pub(super) async fn listen(inner: Weak<Inner>, connector: Connector) {
    let pool = connector.pool(1);
    loop {
        if let Err(error) = listened(&inner, &pool).await {
            tracing::debug!(%error, "others are not heard; they are asked each second");
        }
        match inner.upgrade() {
            Some(inner) if !inner.is_closing() => inner.base.ring(),
            _ => return pool.close().await,
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

async fn listened(inner: &Weak<Inner>, pool: &sqlx::postgres::PgPool) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| super::error::told(&error);
    let mut listener = PgListener::connect_with(pool).await.map_err(failed)?;
    listener.listen(CHANNEL).await.map_err(failed)?;
    loop {
        // A lost connection ends this; what was missed meanwhile is looked at once it is made again.
        let Some(news) = listener.try_recv().await.map_err(failed)? else { return Ok(()) };
        let Some(open) = inner.upgrade() else { return Ok(()) };
        let Some((node, rings, events)) = heard(news.payload()) else { continue };
        if node == open.base.me.node {
            continue;
        }
        open.base.has_company(true);
        for (scope, n) in events {
            if let Some(rows) = open.scopes.rows_of(scope) {
                open.base.follower.reached(rows.shared(), n);
            }
        }
        if rings {
            open.base.ring();
        }
    }
}

/// Asks each second for events that were not heard of, until the store is gone.
pub(super) async fn ask(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(ASK_EACH).await;
        let Some(open) = inner.upgrade().filter(|open| !open.is_closing()) else { return };
        if let Err(error) = asked(&open).await {
            tracing::debug!(%error, "new events are not known");
        }
    }
}

async fn asked(open: &Inner) -> Result<(), StoreError> {
    let followed: Vec<_> = open
        .scopes
        .rows()
        .into_iter()
        .filter(|(_, rows)| rows.shared().newest_event.receiver_count() > 0)
        .map(|(_, rows)| rows)
        .collect();
    if followed.is_empty() {
        return Ok(());
    }
    let list = |of: &dyn Fn(&super::scope::PgScope) -> i64| {
        followed.iter().map(|rows| of(rows).to_string()).collect::<Vec<_>>().join(",")
    };
    let sql = format!(
        "SELECT scope, n FROM newest_events('{{{}}}', '{{{}}}');COMMIT",
        list(&|rows| rows.shared().scope.0),
        list(&|rows| *rows.shared().newest_event.borrow())
    );
    let (held, rows) =
        Held::begin(&open.base.writers, As::Registry, &sql).await.map_err(super::error::Fault::told)?;
    held.ended();
    for row in &rows {
        let scope = ScopeId(get(row, 0)?);
        if let Some(rows) = followed.iter().find(|rows| rows.shared().scope == scope) {
            open.base.follower.reached(rows.shared(), get(row, 1)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_heard() {
        let events: BTreeMap<ScopeId, Position> = (1..=1_000).map(|n| (ScopeId(n), n * 4_096)).collect();
        let told = messages(NodeId(7), &events, true);
        assert!(told.len() > 1 && told.iter().all(|message| message.len() < 8_000));
        let heard: Vec<_> = told.iter().map(|message| heard(message).unwrap()).collect();
        assert!(heard.iter().all(|(node, ..)| *node == NodeId(7)));
        assert_eq!(heard.iter().filter(|(_, rings, _)| *rings).count(), 1);
        let all: BTreeMap<ScopeId, Position> = heard.into_iter().flat_map(|(.., events)| events).collect();
        assert_eq!(all, events);
        assert!(super::heard("nonsense").is_none());
    }
}
