//! The parts of the one statement that writes a batch: a table's rows each, or a change of them.
//!
//! Rows that are there already are found by their keys (`= ANY({a1})`) and then joined by hash. Nothing else
//! is sure to cost the same however the tables stood when it was planned: by loops, the rows of a batch are
//! compared each with each, or with all that the scope has, dead ones included.

use super::column::Of::{Bytes, Int, Key, Text};
use super::statement::{Counted, Part, Sizes};

/// The parts, by their place in [`PARTS`].
pub(super) mod part {
    pub(in crate::store::postgres) const IDEMPOTENCY: usize = 0;
    pub(in crate::store::postgres) const MESSAGE: usize = 1;
    pub(in crate::store::postgres) const CONTENT: usize = 2;
    pub(in crate::store::postgres) const LIVE: usize = 3;
    pub(in crate::store::postgres) const LIVE_UPDATE: usize = 4;
    pub(in crate::store::postgres) const LIVE_END: usize = 5;
    pub(in crate::store::postgres) const ENDED: usize = 6;
    pub(in crate::store::postgres) const ENDED_UPDATE: usize = 7;
    pub(in crate::store::postgres) const JOURNAL: usize = 8;
    pub(in crate::store::postgres) const EVENT: usize = 9;
    pub(in crate::store::postgres) const ATTEMPT: usize = 10;
    pub(in crate::store::postgres) const OUTCOME: usize = 11;
    pub(in crate::store::postgres) const SUBJECT: usize = 12;
    pub(in crate::store::postgres) const DELIVERY: usize = 13;
    pub(in crate::store::postgres) const DELIVERY_UPDATE: usize = 14;
    pub(in crate::store::postgres) const USAGE: usize = 15;
    pub(in crate::store::postgres) const HEALTH: usize = 16;
    pub(in crate::store::postgres) const HEALTH_UPDATE: usize = 17;
    pub(in crate::store::postgres) const SIGNAL: usize = 18;
    pub(in crate::store::postgres) const SIGNAL_DONE: usize = 19;
    pub(in crate::store::postgres) const CLAIM: usize = 20;
    pub(in crate::store::postgres) const GENERATION: usize = 21;
    pub(in crate::store::postgres) const UNSETTLED: usize = 22;
    pub(in crate::store::postgres) const SETTLED: usize = 23;
}

const fn plain(columns: &'static [super::column::Of], sql: &'static str) -> Part {
    Part { columns, sql, counted: None, sizes: Sizes::new() }
}

/// The message that `c2` names: one of the batch where it is below zero.
macro_rules! named {
    ($column:literal) => {
        concat!("CASE WHEN ", $column, " < 0 THEN $2 - 1 - ", $column, " ELSE ", $column, " END")
    };
}

pub(super) static PARTS: [Part; 24] = [
    Part {
        columns: &[Key, Bytes, Int, Int, Bytes, Int],
        sql: "{p} AS (INSERT INTO idempotency (scope, key, request, status, form, answer, at) \
              SELECT $1, c1, c2, c3, c4, c5, c6 FROM {u} ON CONFLICT (scope, key) DO NOTHING RETURNING 1)",
        counted: Counted::written(
            "an idempotency key",
            "EXISTS (SELECT FROM idempotency k WHERE k.scope = $1 AND k.key = c1)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Key, Int, Int, Key, Text, Int, Text, Int, Int, Int],
        "{p} AS (INSERT INTO message (scope, n, id, created_at, expires_at, contact, template, template_version, \
         policy, policy_version, priority, channels) \
         SELECT $1, $2 + c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11 FROM {u})",
    ),
    plain(
        &[Int, Bytes, Bytes],
        "{p} AS (INSERT INTO content (scope, n, doc, first_body) SELECT $1, $2 + c1, c2, c3 FROM {u})",
    ),
    plain(
        &[Int, Int, Int, Bytes],
        "{p} AS (INSERT INTO live (scope, n, owner, status, due_at, version, state) \
         SELECT $1, $2 + c1, $3, c2, c3, 1, c4 FROM {u})",
    ),
    Part {
        columns: &[Int, Int, Int, Int, Bytes],
        sql: "{p} AS (UPDATE live SET owner = $3, status = c3, due_at = c4, version = c2 + 1, state = c5 \
              FROM {u} WHERE live.scope = $1 AND live.n = ANY({a1}) AND live.n = c1 AND live.version = c2 RETURNING 1)",
        counted: Counted::written(
            "a message",
            "NOT EXISTS (SELECT FROM live l WHERE l.scope = $1 AND l.n = c1 AND l.version = c2)",
        ),
        sizes: Sizes::new(),
    },
    Part {
        columns: &[Int, Int, Int, Int, Bytes],
        sql: "{p}_gone AS (DELETE FROM live USING {u} \
              WHERE live.scope = $1 AND live.n = ANY({a1}) AND live.n = c1 AND live.version = c2 \
              RETURNING c1, c2, c3, c4, c5), \
              {p} AS (INSERT INTO ended (scope, n, owner, status, at, version, state) \
              SELECT $1, c1, $3, c3, c4, c2 + 1, c5 FROM {p}_gone RETURNING 1)",
        counted: Counted::written(
            "a message",
            "NOT EXISTS (SELECT FROM live l WHERE l.scope = $1 AND l.n = c1 AND l.version = c2)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Int, Int, Bytes],
        "{p} AS (INSERT INTO ended (scope, n, owner, status, at, version, state) \
         SELECT $1, $2 + c1, $3, c2, c3, 1, c4 FROM {u})",
    ),
    Part {
        columns: &[Int, Int, Int, Int, Bytes],
        sql: "{p} AS (UPDATE ended SET owner = $3, status = c3, at = c4, version = c2 + 1, state = c5 \
              FROM {u} WHERE ended.scope = $1 AND ended.n = ANY({a1}) AND ended.n = c1 AND ended.version = c2 RETURNING 1)",
        counted: Counted::written(
            "a message",
            "NOT EXISTS (SELECT FROM ended e WHERE e.scope = $1 AND e.n = c1 AND e.version = c2)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Int, Int, Int, Int, Bytes, Bytes],
        concat!(
            "{p} AS (INSERT INTO journal (scope, n, message, seq, count, at, body, hash) SELECT $1, $2 + c1, ",
            named!("c2"),
            ", c3, c4, c5, c6, c7 FROM {u})"
        ),
    ),
    plain(
        &[Int, Key, Text, Int, Int, Int, Bytes],
        concat!(
            "{p} AS (INSERT INTO event (scope, n, id, kind, at, message, sequence, data) \
             SELECT $1, $2 + c1, c2, c3, c4, ",
            named!("c5"),
            ", c6, c7 FROM {u})"
        ),
    ),
    plain(
        &[Int, Key, Int, Text, Int, Int, Key, Bytes],
        concat!(
            "{p} AS (INSERT INTO attempt (scope, n, id, message, provider, channel, at, address, doc) \
             SELECT $1, $2 + c1, c2, ",
            named!("c3"),
            ", c4, c5, c6, c7, c8 FROM {u})"
        ),
    ),
    plain(
        &[Int, Int, Key, Int, Text, Text, Int, Bytes],
        concat!(
            "{p} AS (INSERT INTO outcome (scope, n, message, attempt, outcome, provider, provider_message_id, at, \
             detail) SELECT $1, $2 + c1, ",
            named!("c2"),
            ", c3, c4, c5, c6, c7, c8 FROM {u})"
        ),
    ),
    Part {
        columns: &[Key, Bytes],
        sql: "{p} AS (INSERT INTO subject (scope, id, sealed_key) SELECT $1, c1, c2 FROM {u} \
              ON CONFLICT (scope, id) DO NOTHING RETURNING 1)",
        counted: Some(Counted {
            count: "(SELECT count(*) FROM {p}) + (SELECT count(*) FROM {u} JOIN subject s \
                    ON s.scope = $1 AND s.id = ANY({a1}) AND s.id = c1 AND s.sealed_key = c2)",
            what: "a subject",
            otherwise: "EXISTS (SELECT FROM subject s WHERE s.scope = $1 AND s.id = c1 AND s.sealed_key <> c2)",
        }),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Key, Int, Key, Int, Key, Int, Int, Bytes],
        "{p} AS (INSERT INTO delivery (scope, n, id, event, event_id, event_at, endpoint, state, next_try_at, tries, \
         version) SELECT $1, $2 + c1, c2, c3, c4, c5, c6, c7, c8, c9, 1 FROM {u})",
    ),
    Part {
        columns: &[Key, Int, Int, Int, Bytes],
        sql: "{p} AS (UPDATE delivery SET state = c3, next_try_at = c4, tries = c5, version = c2 + 1 \
              FROM {u} WHERE delivery.scope = $1 AND delivery.id = ANY({a1}) AND delivery.id = c1 \
              AND delivery.version = c2 RETURNING 1)",
        counted: Counted::written(
            "a delivery",
            "NOT EXISTS (SELECT FROM delivery d WHERE d.scope = $1 AND d.id = c1 AND d.version = c2)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Text, Int, Int, Int, Int],
        "{p} AS (INSERT INTO usage (scope, n, name, win, start, add, told) \
         SELECT $1, $2 + c1, c2, c3, c4, c5, c6 FROM {u})",
    ),
    Part {
        columns: &[Text, Bytes],
        sql: "{p} AS (INSERT INTO provider_state (scope, provider, version, doc) SELECT $1, c1, 1, c2 FROM {u} \
              ON CONFLICT (scope, provider) DO NOTHING RETURNING 1)",
        counted: Counted::written(
            "a provider's health",
            "EXISTS (SELECT FROM provider_state h WHERE h.scope = $1 AND h.provider = c1)",
        ),
        sizes: Sizes::new(),
    },
    Part {
        columns: &[Text, Bytes, Int],
        sql: "{p} AS (UPDATE provider_state SET doc = c2, version = c3 + 1 FROM {u} WHERE provider_state.scope = $1 \
              AND provider_state.provider = ANY({a1}) AND provider_state.provider = c1 \
              AND provider_state.version = c3 RETURNING 1)",
        counted: Counted::written(
            "a provider's health",
            "NOT EXISTS (SELECT FROM provider_state h WHERE h.scope = $1 AND h.provider = c1 AND h.version = c3)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Int, Int, Bytes],
        "{p} AS (INSERT INTO signal (scope, n, message, at, doc) SELECT $1, $2 + c1, c2, c3, c4 FROM {u})",
    ),
    Part {
        columns: &[Int],
        sql: "{p} AS (DELETE FROM signal USING {u} WHERE signal.scope = $1 AND signal.n = ANY({a1}) \
              AND signal.n = c1 RETURNING 1)",
        counted: Counted::written(
            "a signal",
            "NOT EXISTS (SELECT FROM signal g WHERE g.scope = $1 AND g.n = c1)",
        ),
        sizes: Sizes::new(),
    },
    Part {
        columns: &[Text],
        sql: "{p} AS (SELECT 1 FROM {u} JOIN claim ON claim.scope = $1 AND claim.name = ANY({a1}) AND claim.name = c1 \
              AND claim.node = $3)",
        counted: Counted::written(
            "a claim",
            "NOT EXISTS (SELECT FROM claim k WHERE k.scope = $1 AND k.name = c1 AND k.node = $3)",
        ),
        sizes: Sizes::new(),
    },
    plain(
        &[Int, Int, Int],
        "{p} AS (UPDATE generation SET settings = settings + c1, people = people + c2, health = health + c3, \
         changed = $2 / 4096 FROM {u} WHERE generation.scope = $1)",
    ),
    plain(
        &[Int, Int],
        concat!(
            "{p} AS (INSERT INTO unsettled (scope, n, owner, due_at) SELECT $1, ",
            named!("c1"),
            ", $3, c2 FROM {u} \
             ON CONFLICT (scope, n) DO UPDATE SET owner = excluded.owner, due_at = excluded.due_at)"
        ),
    ),
    plain(
        &[Int],
        "{p} AS (DELETE FROM unsettled USING {u} WHERE unsettled.scope = $1 AND unsettled.n = ANY({a1}) \
         AND unsettled.n = c1)",
    ),
];
