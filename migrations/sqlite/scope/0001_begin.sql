-- The rows of one scope: one tenant in one environment. One such file a scope, so that the rows of
-- another tenant are not there to be read.
--
-- How to read this file
--   * Ids are the 16 bytes of a ULID; the prefix (`msg_`) is put on at the edge.
--   * Instants are milliseconds since 1970. They are on the scope's clock where the column says
--     nothing else.
--   * Words (status, channel, outcome, priority) are their place in the list of `model::words`;
--     a list only ever grows at its end.
--   * `n` is a row's position: given by the one writer in the commit, strictly rising. Lists page
--     by it and cursors hold it, so that one who reads on misses nothing.
--   * AUTOINCREMENT stands where rows are deleted and lists page by position: a position is never
--     given twice.
--   * What is large is in rowid tables, which are appended to; only what is small and looked up by
--     a key of its own is WITHOUT ROWID.
--   * There is no index on a random value in any table that a send touches: each would cost a page
--     of the write-ahead log a message. Such look-ups go through `lookup`, which is filled in bulk.
--   * Every row of the hot path is written once. The exception is `live`, which is small.

-- Which scope this file belongs to. A file put under another name is refused.
CREATE TABLE meta (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  scope  INTEGER NOT NULL
) STRICT;

-- A message as it was taken in, as far as lists filter by it. Small, so that a filter that has no
-- index still reads a hundred messages a page.
CREATE TABLE message (
  n                INTEGER PRIMARY KEY,
  id               BLOB NOT NULL CHECK (length(id) = 16),
  created_at       INTEGER NOT NULL,
  expires_at       INTEGER,
  contact          BLOB,
  template         TEXT,
  template_version INTEGER,
  policy           TEXT,                -- NULL for a strategy of the message's own
  policy_version   INTEGER,
  priority         INTEGER NOT NULL,
  channels         INTEGER NOT NULL     -- a bit for each channel that a stage uses
) STRICT;
-- Ids rise, so this index is appended to.
CREATE UNIQUE INDEX message_id ON message (id);

-- The rest of the message, sealed where it is personal, and the body of its first answer, so that
-- a replay of the request gives the same bytes.
CREATE TABLE content (
  n           INTEGER PRIMARY KEY,      -- message.n
  doc         BLOB NOT NULL,
  first_body  BLOB NOT NULL
) STRICT;

-- The state of a message on its way. A message has a row here or in `ended`, never in both and
-- never in none.
CREATE TABLE live (
  n        INTEGER PRIMARY KEY,         -- message.n
  status   INTEGER NOT NULL,
  due_at   INTEGER,                     -- NULL while only an outcome, receipt or caller can move it
  version  INTEGER NOT NULL,            -- each change expects the one before
  state    BLOB NOT NULL                -- the instance
) STRICT;
CREATE INDEX live_due ON live (due_at) WHERE due_at IS NOT NULL;

-- The state of a message that has ended. Changed only by what comes late: a receipt, a reply.
CREATE TABLE ended (
  n        INTEGER PRIMARY KEY,         -- message.n
  status   INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  version  INTEGER NOT NULL,
  state    BLOB NOT NULL
) STRICT;
CREATE INDEX ended_status ON ended (status, n);

-- The audit of messages: one row a change, holding the input of the step and its transitions with
-- their hashes. Only ever added to.
CREATE TABLE journal (
  n        INTEGER PRIMARY KEY,
  message  INTEGER,                     -- message.n; NULL for the scope's own
  seq      INTEGER NOT NULL,            -- number of the first transition
  count    INTEGER NOT NULL,            -- how many transitions
  at       INTEGER NOT NULL,
  body     BLOB NOT NULL,
  hash     BLOB NOT NULL CHECK (length(hash) = 32)   -- of the last transition
) STRICT;
CREATE UNIQUE INDEX journal_message ON journal (message, seq) WHERE message IS NOT NULL;

-- What tenants are told. Only ever added to; endpoints keep a position in it.
CREATE TABLE event (
  n         INTEGER PRIMARY KEY,
  id        BLOB NOT NULL CHECK (length(id) = 16),
  kind      TEXT NOT NULL,
  at        INTEGER NOT NULL,
  message   INTEGER,                    -- message.n
  sequence  INTEGER,                    -- from 1 within a message
  data      BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_id ON event (id);
CREATE INDEX event_message ON event (message) WHERE message IS NOT NULL;

-- The intent of a call, durable before the call is made. Never claimed, never updated.
CREATE TABLE attempt (
  n         INTEGER PRIMARY KEY,
  id        BLOB NOT NULL CHECK (length(id) = 16),
  message   INTEGER NOT NULL,           -- message.n
  provider  TEXT NOT NULL,
  channel   INTEGER NOT NULL,
  at        INTEGER NOT NULL,
  address   BLOB,                       -- keyed hash, by which a reply finds it
  doc       BLOB NOT NULL
) STRICT;
CREATE INDEX attempt_message ON attempt (message);

-- What came of a call. An attempt without a row here is in doubt after a crash; one in doubt may
-- get a second row, and the newest counts.
CREATE TABLE outcome (
  n                    INTEGER PRIMARY KEY,
  message              INTEGER NOT NULL,   -- message.n
  attempt              BLOB NOT NULL,      -- attempt.id
  outcome              INTEGER NOT NULL,
  provider             TEXT NOT NULL,
  provider_message_id  TEXT,
  at                   INTEGER NOT NULL,
  detail               BLOB
) STRICT;
CREATE INDEX outcome_message ON outcome (message);

-- The first answer to each idempotency key. `at` is real time; dropped by age.
CREATE TABLE idempotency (
  n        INTEGER PRIMARY KEY,
  key      BLOB NOT NULL CHECK (length(key) = 16),     -- of the key's SHA-256
  request  BLOB NOT NULL CHECK (length(request) = 32), -- fingerprint
  status   INTEGER NOT NULL,
  form     INTEGER NOT NULL,            -- 0 empty, 1 plain, 2 sealed, 3 a first body, 4 several
  answer   BLOB,
  at       INTEGER NOT NULL
) STRICT;

-- Look-ups by random values: idempotency keys, contacts, attempts, addresses, providers' ids. The
-- newest entries are in memory only, read again from the tables above at the opening of the file;
-- once there are some ten thousand they are written here, sorted, in a few transactions. `hash` is
-- 64 bits of the value: whoever finds an entry looks at the row that it names.
CREATE TABLE lookup (
  kind  INTEGER NOT NULL,
  hash  INTEGER NOT NULL,
  n     INTEGER NOT NULL,               -- position in the table that the kind looks into
  PRIMARY KEY (kind, hash, n)
) STRICT, WITHOUT ROWID;

-- Up to which position of its table a kind is in `lookup`.
CREATE TABLE lookup_mark (
  kind  INTEGER PRIMARY KEY,
  n     INTEGER NOT NULL
) STRICT;

-- The key under which a person's data is sealed. Rows are appended, never moved and never removed:
-- an erasure writes over id and key in place, so that the bytes are nowhere else in the file.
CREATE TABLE subject (
  n           INTEGER PRIMARY KEY,
  id          BLOB NOT NULL CHECK (length(id) = 16),
  sealed_key  BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX subject_id ON subject (id);

CREATE TABLE contact (
  n            INTEGER PRIMARY KEY AUTOINCREMENT,
  id           BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  external_id  TEXT UNIQUE,
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  doc          BLOB NOT NULL,           -- in clear
  sealed       BLOB NOT NULL            -- name, addresses, attributes
) STRICT;

-- Whether an address wants a channel. Outlives the contact.
CREATE TABLE consent (
  channel    INTEGER NOT NULL,
  address    BLOB NOT NULL,             -- keyed hash
  opted_out  INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (channel, address)
) STRICT, WITHOUT ROWID;

-- Templates (kind 0) and policies (kind 1): a row a name, and a row a version. Versions are kept
-- when a name is deleted, since messages on their way go on with theirs.
CREATE TABLE version_name (
  n        INTEGER PRIMARY KEY,
  kind     INTEGER NOT NULL,
  name     TEXT NOT NULL,
  newest   INTEGER NOT NULL,
  deleted  INTEGER NOT NULL DEFAULT 0,  -- versions up to this one are gone for callers
  UNIQUE (kind, name)
) STRICT;
CREATE TABLE version (
  n           INTEGER PRIMARY KEY,
  kind        INTEGER NOT NULL,
  name        TEXT NOT NULL,
  version     INTEGER NOT NULL,
  id          BLOB NOT NULL CHECK (length(id) = 16),
  created_at  INTEGER NOT NULL,
  doc         BLOB NOT NULL,
  UNIQUE (kind, name, version)
) STRICT;

CREATE TABLE provider (
  n            INTEGER PRIMARY KEY AUTOINCREMENT,
  id           BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  name         TEXT NOT NULL UNIQUE,
  version      INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  doc          BLOB NOT NULL,
  credentials  BLOB                     -- sealed under the scope's key
) STRICT;

-- Breakers and pauses, by name: the sandbox has providers that nobody made.
CREATE TABLE provider_state (
  provider  TEXT PRIMARY KEY,
  doc       BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quota (
  name   TEXT PRIMARY KEY,              -- `messages`, or a channel
  day    INTEGER,
  month  INTEGER
) STRICT, WITHOUT ROWID;

-- Counters of quotas, a row a window.
CREATE TABLE usage (
  name   TEXT NOT NULL,
  win    INTEGER NOT NULL,              -- 0 day, 1 month
  start  INTEGER NOT NULL,
  used   INTEGER NOT NULL,
  told   INTEGER NOT NULL,              -- highest threshold told, in percent
  PRIMARY KEY (name, win, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE endpoint (
  n           INTEGER PRIMARY KEY AUTOINCREMENT,
  id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  enabled     INTEGER NOT NULL,
  position    INTEGER NOT NULL,         -- event.n up to which events were taken up
  doc         BLOB NOT NULL,
  secrets     BLOB NOT NULL             -- sealed under the scope's key
) STRICT;

-- An event on its way to an endpoint, written once its first try has ended.
CREATE TABLE delivery (
  n            INTEGER PRIMARY KEY AUTOINCREMENT,
  id           BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  event        INTEGER NOT NULL,        -- event.n
  event_id     BLOB NOT NULL,
  event_at     INTEGER NOT NULL,
  endpoint     BLOB NOT NULL,           -- endpoint.id
  version      INTEGER NOT NULL,
  state        INTEGER NOT NULL,        -- 0 pending, 1 delivered, 2 dead
  next_try_at  INTEGER,
  tries        BLOB NOT NULL
) STRICT;
CREATE INDEX delivery_endpoint ON delivery (endpoint, n);
CREATE INDEX delivery_due ON delivery (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX delivery_pending ON delivery (endpoint, next_try_at) WHERE state = 0;
CREATE INDEX delivery_dead ON delivery (n) WHERE state = 2;

-- Receipts that came before the answer to the send. `at` is real time: kept ten minutes.
CREATE TABLE early_receipt (
  n                    INTEGER PRIMARY KEY,
  provider             TEXT NOT NULL,
  provider_message_id  TEXT NOT NULL,
  at                   INTEGER NOT NULL,
  doc                  BLOB NOT NULL
) STRICT;
CREATE INDEX early_receipt_id ON early_receipt (provider, provider_message_id);

-- How far the scope's clock is ahead of real time, and how far an advance under way goes.
CREATE TABLE clock (
  one             INTEGER PRIMARY KEY CHECK (one = 1),
  advanced_by_ms  INTEGER NOT NULL,
  target_ms       INTEGER
) STRICT;

-- What callers changed: one chain a scope. Only ever added to.
CREATE TABLE audit (
  n          INTEGER PRIMARY KEY,       -- from 1, without gaps
  id         BLOB NOT NULL CHECK (length(id) = 16),
  at         INTEGER NOT NULL,
  who        TEXT NOT NULL,
  what       TEXT NOT NULL,
  object     TEXT,
  request    TEXT,
  canonical  BLOB NOT NULL,             -- what is hashed
  hash       BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- The audit and the journal are added to and nothing else, by whatever statement.
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER journal_no_update BEFORE UPDATE ON journal BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
