-- The rows of the whole installation. Small, and the only file that other processes (`spine tenant`,
-- `spine key`) write while a server runs, under SQLite's own locking.
--
-- Instants are milliseconds since 1970, in real time. Ids are the 16 bytes of a ULID.

-- One row: whether the last stop was clean. After an unclean one every scope is opened once.
CREATE TABLE state (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  clean  INTEGER NOT NULL
) STRICT;
INSERT INTO state VALUES (1, 1);

CREATE TABLE tenant (
  n           INTEGER PRIMARY KEY,
  id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  name        TEXT NOT NULL UNIQUE,
  timezone    TEXT NOT NULL,
  currency    TEXT NOT NULL,
  created_at  INTEGER NOT NULL
) STRICT;

-- One tenant in one environment. Its rows are in `scopes/<id>.db`.
CREATE TABLE scope (
  id           INTEGER PRIMARY KEY,
  tenant       BLOB NOT NULL,           -- tenant.id
  environment  INTEGER NOT NULL,        -- 0 test, 1 live
  sealed_key   BLOB NOT NULL,           -- the scope's key, sealed by the operator's
  wake_at      INTEGER,                 -- when its file wants to be opened next, on its own clock
  UNIQUE (tenant, environment)
) STRICT;

-- API keys. The key itself is not kept, only its SHA-256.
CREATE TABLE key (
  n             INTEGER PRIMARY KEY,
  id            BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
  scope         INTEGER NOT NULL,
  name          TEXT NOT NULL,
  hash          BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  hint          TEXT NOT NULL,
  permissions   INTEGER NOT NULL,       -- bits
  created_at    INTEGER NOT NULL,
  last_used_at  INTEGER,                -- may lag
  expires_at    INTEGER,
  revoked_at    INTEGER
) STRICT;
CREATE INDEX key_scope ON key (scope, n);

-- Whose a provider is: a callback comes without a key.
CREATE TABLE provider_scope (
  provider  BLOB PRIMARY KEY,
  scope     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Subjects whose keys were destroyed. A backup made earlier still holds them: a restore applies
-- these before it serves.
CREATE TABLE erased (
  scope    INTEGER NOT NULL,
  subject  BLOB NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (scope, subject)
) STRICT, WITHOUT ROWID;

-- The first answers of requests that write here (`/keys`) and not into a scope's file.
CREATE TABLE idempotency (
  scope    INTEGER NOT NULL,
  key      BLOB NOT NULL CHECK (length(key) = 16),
  request  BLOB NOT NULL CHECK (length(request) = 32),
  status   INTEGER NOT NULL,
  form     INTEGER NOT NULL,
  answer   BLOB,
  at       INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT;

-- What was changed here: one chain a scope (0 for the installation). Only ever added to.
CREATE TABLE audit (
  n          INTEGER PRIMARY KEY,
  scope      INTEGER NOT NULL,
  id         BLOB NOT NULL CHECK (length(id) = 16),
  at         INTEGER NOT NULL,
  who        TEXT NOT NULL,
  what       TEXT NOT NULL,
  object     TEXT,
  request    TEXT,
  canonical  BLOB NOT NULL,
  hash       BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE INDEX audit_scope ON audit (scope, n);
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
