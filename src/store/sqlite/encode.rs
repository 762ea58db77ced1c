//! Changes as arguments of statements.
//!
//! Done while the batch before is being committed, outside of SQLite's thread.

use std::collections::HashMap;

use sqlx::sqlite::SqliteConnection;

use super::error::Fault;
use super::statement::{Bulk, Rows};
use crate::store::forms::{channel_bits, delivery_state_number, kept_form, window_number};
use crate::store::group::{Gathers, Heads};
use crate::store::rows::{DeliveryRow, EndedState, EventRow, JournalRow, Kept, LiveState, MessageRow};
use crate::store::{Change, MessageStep, Position, Put, Unsettled};

macro_rules! inserts {
    ($table:literal, $columns:literal, $count:literal, $what:literal) => {
        Bulk::new(
            concat!("INSERT INTO ", $table, "(", $columns, ") SELECT * FROM"),
            $count,
            "WHERE column1 IS NOT NULL",
            Some($what),
        )
    };
}

static IDEMPOTENCY: Bulk =
    inserts!("idempotency", "n, key, request, status, form, answer, at", 7, "an idempotency key");
static MESSAGE: Bulk = inserts!(
    "message",
    "n, id, created_at, expires_at, contact, template, template_version, policy, policy_version, priority, channels",
    11,
    "a message"
);
static CONTENT: Bulk = inserts!("content", "n, doc, first_body", 3, "a message");
static LIVE: Bulk = inserts!("live", "n, status, due_at, version, state", 5, "a message");
static LIVE_UPDATE: Bulk = Bulk::new(
    "UPDATE live SET status = v.column3, due_at = v.column4, version = v.column2 + 1, state = v.column5 FROM",
    5,
    "AS v WHERE live.n = v.column1 AND live.version = v.column2",
    Some("a message"),
);
/// Takes the version from `live` where the message is on its way, so that another one in the row
/// leaves the row out and is seen by the count.
static ENDED_FROM_LIVE: Bulk = Bulk::new(
    "INSERT INTO ended(n, status, at, version, state) \
     SELECT v.column1, v.column3, v.column4, v.column2 + 1, v.column5 FROM",
    5,
    "AS v CROSS JOIN live ON live.n = v.column1 AND live.version = v.column2",
    Some("a message"),
);
static LIVE_DELETE: Bulk =
    Bulk::new("DELETE FROM live WHERE n IN (SELECT column1 FROM", 1, ")", Some("a message"));
static ENDED: Bulk = inserts!("ended", "n, status, at, version, state", 5, "a message");
static ENDED_UPDATE: Bulk = Bulk::new(
    "UPDATE ended SET status = v.column3, at = v.column4, version = v.column2 + 1, state = v.column5 FROM",
    5,
    "AS v WHERE ended.n = v.column1 AND ended.version = v.column2",
    Some("a message"),
);
static UNSETTLED: Bulk = Bulk::new(
    "INSERT INTO unsettled(n, due_at) SELECT * FROM",
    2,
    "WHERE column1 IS NOT NULL ON CONFLICT (n) DO UPDATE SET due_at = excluded.due_at",
    None,
);
static SETTLED: Bulk = Bulk::new("DELETE FROM unsettled WHERE n IN (SELECT column1 FROM", 1, ")", None);
static JOURNAL: Bulk = inserts!("journal", "n, message, seq, count, at, body, hash", 7, "a transition");
static EVENT: Bulk = inserts!("event", "n, id, kind, at, message, sequence, data", 7, "an event");
static ATTEMPT: Bulk =
    inserts!("attempt", "n, id, message, provider, channel, at, address, doc", 8, "an attempt");
static OUTCOME: Bulk = inserts!(
    "outcome",
    "n, message, attempt, outcome, provider, provider_message_id, at, detail",
    8,
    "an outcome"
);
static USAGE: Bulk = Bulk::new(
    "INSERT INTO usage(name, win, start, used, told) SELECT * FROM",
    5,
    "WHERE column1 IS NOT NULL ON CONFLICT (name, win, start) DO UPDATE \
     SET used = used + excluded.used, told = max(told, excluded.told)",
    None,
);
static PROVIDER_STATE: Bulk = Bulk::new(
    "INSERT INTO provider_state(provider, doc) SELECT * FROM",
    2,
    "WHERE column1 IS NOT NULL ON CONFLICT (provider) DO UPDATE SET doc = excluded.doc",
    None,
);
static SUBJECT: Bulk = Bulk::new(
    "INSERT INTO subject(n, id, sealed_key) SELECT * FROM",
    3,
    "WHERE column1 IS NOT NULL ON CONFLICT (id) DO UPDATE SET sealed_key = excluded.sealed_key \
     WHERE sealed_key = excluded.sealed_key",
    Some("a subject"),
);
static DELIVERY: Bulk = inserts!(
    "delivery",
    "n, id, event, event_id, event_at, endpoint, state, next_try_at, tries, version",
    10,
    "a delivery"
);
static DELIVERY_UPDATE: Bulk = Bulk::new(
    "UPDATE delivery SET state = v.column3, next_try_at = v.column4, tries = v.column5, version = v.column2 + 1 FROM",
    5,
    "AS v WHERE delivery.id = v.column1 AND delivery.version = v.column2",
    Some("a delivery"),
);

/// The statements of one batch.
#[derive(Default)]
pub(super) struct Statements {
    idempotency: Rows,
    message: Rows,
    content: Rows,
    live: Rows,
    live_update: Rows,
    ended_from_live: Rows,
    live_delete: Rows,
    ended: Rows,
    ended_update: Rows,
    unsettled: Rows,
    settled: Rows,
    journal: Rows,
    event: Rows,
    attempt: Rows,
    outcome: Rows,
    subject: Rows,
    delivery: Rows,
    delivery_update: Rows,
    usage: HashMap<(String, u8, i64), (i64, u8)>,
    provider_state: HashMap<String, Vec<u8>>,
}

impl Gathers for Statements {
    fn add(&mut self, change: &Change, mut heads: Heads) -> Heads {
        if let Some(kept) = &change.keep {
            self.keep(kept, heads.idempotency);
            heads.idempotency += 1;
        }
        for part in &change.messages {
            let n = match &part.step {
                MessageStep::Begin(row, live) => {
                    self.begin(row, heads.message);
                    self.start_live(heads.message, live);
                    heads.message
                }
                MessageStep::BeginEnded(row, ended, unsettled) => {
                    self.begin(row, heads.message);
                    self.ended
                        .begin(&ENDED)
                        .int(heads.message)
                        .int(ended.status.index() as i64)
                        .int(ended.at.ms())
                        .int(1)
                        .blob(&ended.state);
                    self.leave(heads.message, *unsettled);
                    heads.message
                }
                MessageStep::Go { n, expected, live } => {
                    self.live_update
                        .begin(&LIVE_UPDATE)
                        .int(*n)
                        .int(*expected)
                        .int(live.status.index() as i64)
                        .maybe_int(live.due_at.map(|at| at.ms()))
                        .blob(&live.state);
                    *n
                }
                MessageStep::End { n, expected, ended, unsettled } => {
                    end_row(&mut self.ended_from_live, &ENDED_FROM_LIVE, *n, *expected, ended);
                    self.live_delete.begin(&LIVE_DELETE).int(*n);
                    self.leave(*n, *unsettled);
                    *n
                }
                MessageStep::Amend { n, expected, ended, unsettled } => {
                    end_row(&mut self.ended_update, &ENDED_UPDATE, *n, *expected, ended);
                    if unsettled.is_none() {
                        self.settled.begin(&SETTLED).int(*n);
                    }
                    self.leave(*n, *unsettled);
                    *n
                }
                MessageStep::Stay { n } => *n,
            };
            if matches!(part.step, MessageStep::Begin(..) | MessageStep::BeginEnded(..)) {
                heads.message += 1;
            }
            for row in &part.journal {
                self.transition(heads.journal, Some(n), row);
                heads.journal += 1;
            }
            for row in &part.events {
                self.tell(heads.event, Some(n), row);
                heads.event += 1;
            }
            for row in &part.attempts {
                self.attempt
                    .begin(&ATTEMPT)
                    .int(heads.attempt)
                    .blob(&row.id.to_bytes())
                    .int(n)
                    .text(&row.provider)
                    .int(row.channel.index() as i64)
                    .int(row.at.ms())
                    .maybe_blob(row.address.as_ref().map(|address| address.0.as_slice()))
                    .blob(&row.doc);
                heads.attempt += 1;
            }
            for row in &part.outcomes {
                self.outcome
                    .begin(&OUTCOME)
                    .int(heads.outcome)
                    .int(n)
                    .blob(&row.attempt.to_bytes())
                    .int(row.outcome.index() as i64)
                    .text(&row.provider)
                    .maybe_text(row.provider_message_id.as_deref())
                    .int(row.at.ms())
                    .maybe_blob(row.detail.as_deref());
                heads.outcome += 1;
            }
        }
        for row in &change.journal {
            self.transition(heads.journal, None, row);
            heads.journal += 1;
        }
        for row in &change.events {
            self.tell(heads.event, None, row);
            heads.event += 1;
        }
        for (id, sealed) in &change.subjects {
            self.subject.begin(&SUBJECT).int(heads.subject).blob(&id.0).blob(sealed);
            heads.subject += 1;
        }
        for put in &change.deliveries {
            self.deliver(heads.delivery, put);
            heads.delivery += 1;
        }
        for delta in &change.usage {
            let key = (delta.name.clone(), window_number(delta.window), delta.start.ms());
            let sum = self.usage.entry(key).or_default();
            sum.0 += delta.add;
            sum.1 = sum.1.max(delta.told_percent);
        }
        for row in &change.provider_states {
            self.provider_state.insert(row.provider.clone(), row.doc.clone());
        }
        heads
    }
}

impl Statements {
    /// Runs all of them, a table after the other.
    pub(super) async fn run(self, conn: &mut SqliteConnection) -> Result<(), Fault> {
        self.idempotency.run(&IDEMPOTENCY, conn).await?;
        self.message.run(&MESSAGE, conn).await?;
        self.content.run(&CONTENT, conn).await?;
        self.live.run(&LIVE, conn).await?;
        self.live_update.run(&LIVE_UPDATE, conn).await?;
        self.ended_from_live.run(&ENDED_FROM_LIVE, conn).await?;
        self.live_delete.run(&LIVE_DELETE, conn).await?;
        self.ended.run(&ENDED, conn).await?;
        self.ended_update.run(&ENDED_UPDATE, conn).await?;
        self.unsettled.run(&UNSETTLED, conn).await?;
        self.settled.run(&SETTLED, conn).await?;
        self.journal.run(&JOURNAL, conn).await?;
        self.event.run(&EVENT, conn).await?;
        self.attempt.run(&ATTEMPT, conn).await?;
        self.outcome.run(&OUTCOME, conn).await?;
        self.subject.run(&SUBJECT, conn).await?;
        self.delivery.run(&DELIVERY, conn).await?;
        self.delivery_update.run(&DELIVERY_UPDATE, conn).await?;
        let mut usage = Rows::default();
        for ((name, window, start), (add, told)) in self.usage {
            usage.begin(&USAGE).text(&name).int(window).int(start).int(add).int(told);
        }
        usage.run(&USAGE, conn).await?;
        let mut states = Rows::default();
        for (provider, doc) in self.provider_state {
            states.begin(&PROVIDER_STATE).text(&provider).blob(&doc);
        }
        states.run(&PROVIDER_STATE, conn).await
    }

    fn keep(&mut self, kept: &Kept, n: Position) {
        let (form, answer) = kept_form(&kept.answer);
        self.idempotency
            .begin(&IDEMPOTENCY)
            .int(n)
            .blob(&kept.key.0)
            .blob(&kept.request)
            .int(kept.status)
            .int(form)
            .maybe_blob(answer.as_deref())
            .int(kept.at.ms());
    }

    fn begin(&mut self, row: &MessageRow, n: Position) {
        self.message
            .begin(&MESSAGE)
            .int(n)
            .blob(&row.id.to_bytes())
            .int(row.created_at.ms())
            .maybe_int(row.expires_at.map(|at| at.ms()))
            .maybe_blob(row.contact.map(|id| id.to_bytes()).as_ref().map(<[u8; 16]>::as_slice))
            .maybe_text(row.template.as_ref().map(|names| names.name.as_str()))
            .maybe_int(row.template.as_ref().map(|names| i64::from(names.version)))
            .maybe_text(row.policy.as_ref().map(|names| names.name.as_str()))
            .maybe_int(row.policy.as_ref().map(|names| i64::from(names.version)))
            .int(row.priority.index() as i64)
            .int(channel_bits(&row.channels));
        self.content.begin(&CONTENT).int(n).blob(&row.doc).blob(&row.first_body);
    }

    /// Writes down that something is still to come of a message that has ended.
    fn leave(&mut self, n: Position, unsettled: Unsettled) {
        if let Some(at) = unsettled {
            self.unsettled.begin(&UNSETTLED).int(n).int(at.ms());
        }
    }

    fn start_live(&mut self, n: Position, live: &LiveState) {
        self.live
            .begin(&LIVE)
            .int(n)
            .int(live.status.index() as i64)
            .maybe_int(live.due_at.map(|at| at.ms()))
            .int(1)
            .blob(&live.state);
    }

    fn transition(&mut self, n: Position, message: Option<Position>, row: &JournalRow) {
        self.journal
            .begin(&JOURNAL)
            .int(n)
            .maybe_int(message)
            .int(row.seq as i64)
            .int(row.count)
            .int(row.at.ms())
            .blob(&row.body)
            .blob(&row.hash);
    }

    fn tell(&mut self, n: Position, message: Option<Position>, row: &EventRow) {
        self.event
            .begin(&EVENT)
            .int(n)
            .blob(&row.id.to_bytes())
            .text(&row.kind)
            .int(row.at.ms())
            .maybe_int(message)
            .maybe_int(row.sequence.map(|sequence| sequence as i64))
            .blob(&row.data);
    }

    fn deliver(&mut self, n: Position, put: &Put<DeliveryRow>) {
        let row = &put.row;
        let next_try_at = row.next_try_at.map(|at| at.ms());
        match put.expected {
            None => self
                .delivery
                .begin(&DELIVERY)
                .int(n)
                .blob(&row.id.to_bytes())
                .int(row.event)
                .blob(&row.event_id.to_bytes())
                .int(row.event_at.ms())
                .blob(&row.endpoint.to_bytes())
                .int(delivery_state_number(row.state))
                .maybe_int(next_try_at)
                .blob(&row.tries)
                .int(1),
            Some(version) => self
                .delivery_update
                .begin(&DELIVERY_UPDATE)
                .blob(&row.id.to_bytes())
                .int(version)
                .int(delivery_state_number(row.state))
                .maybe_int(next_try_at)
                .blob(&row.tries),
        };
    }
}

fn end_row(rows: &mut Rows, bulk: &Bulk, n: Position, expected: u32, ended: &EndedState) {
    rows.begin(bulk)
        .int(n)
        .int(expected)
        .int(ended.status.index() as i64)
        .int(ended.at.ms())
        .blob(&ended.state);
}

/// The statements of the hot path, as they are prepared.
#[cfg(test)]
pub(super) fn texts() -> Vec<std::sync::Arc<str>> {
    let bulks = [
        &IDEMPOTENCY,
        &MESSAGE,
        &CONTENT,
        &LIVE,
        &LIVE_UPDATE,
        &ENDED_FROM_LIVE,
        &LIVE_DELETE,
        &ENDED,
        &ENDED_UPDATE,
        &UNSETTLED,
        &SETTLED,
        &JOURNAL,
        &EVENT,
        &ATTEMPT,
        &OUTCOME,
        &SUBJECT,
        &DELIVERY,
        &DELIVERY_UPDATE,
        &USAGE,
        &PROVIDER_STATE,
    ];
    bulks.iter().map(|bulk| bulk.text(200)).collect()
}
