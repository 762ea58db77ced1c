-- The rows of a whole installation: tenants, scopes, keys, nodes, and every scope's own rows.
--
-- How to read this file
--   * Made by the role `spine_owner`, which nobody logs in as. The program works as `spine_engine` (all
--     writing) and `spine_api` (the reads of requests), bound to one scope for one transaction by the
--     setting `spine.scope`. Row-level security is forced on every table: with no scope set, or with
--     another one, nothing is there.
--   * `scope` comes first in every key and index of a tenant's table, so that it can be partitioned or
--     distributed by it. No foreign key: rows name each other by position and are written in one order.
--   * Ids are uuid, the 16 bytes of a ULID; the prefix (`msg_`) is put on at the edge. Ids rise.
--   * Instants are milliseconds since 1970. They are on the scope's clock where the column says nothing
--     else; a lease is on the database's own clock.
--   * Words (status, channel, outcome, priority) are their place in a list that only grows at its end.
--   * `n` is a row's position: a transaction takes a block of 4096 of them from the sequence, having
--     locked (shared, by an advisory lock) the last block given before it. One who reads on goes no
--     further than the lowest block so locked, and misses nothing.
--   * What a send touches is inserted and never updated, but for `live`, which is small.

CREATE SEQUENCE position AS int8 MINVALUE 0 START 0;
SELECT nextval('position');

-- A message as it was taken in, as far as lists filter by it.
CREATE TABLE message (
  scope             int8 NOT NULL,
  n                 int8 NOT NULL,
  id                uuid NOT NULL,
  created_at        int8 NOT NULL,
  expires_at        int8,
  contact           uuid,
  template          text COLLATE "C",
  template_version  int4,
  policy            text COLLATE "C",      -- NULL for a strategy of the message's own
  policy_version    int4,
  priority          int2 NOT NULL,
  channels          int4 NOT NULL,         -- a bit for each channel that a stage uses
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX message_id ON message (scope, id);
CREATE INDEX message_contact ON message (scope, contact, n) WHERE contact IS NOT NULL;

-- The rest of the message, sealed where it is personal, and the body of its first answer.
CREATE TABLE content (
  scope       int8 NOT NULL,
  n           int8 NOT NULL,               -- message.n
  doc         bytea NOT NULL,
  first_body  bytea NOT NULL,
  PRIMARY KEY (scope, n)
);

-- The state of a message on its way. A message has a row here or in `ended`, never in both and never
-- in none.
CREATE TABLE live (
  scope    int8 NOT NULL,
  n        int8 NOT NULL,                  -- message.n
  owner    int8 NOT NULL,                  -- node.n: who runs its timers and calls
  status   int2 NOT NULL,
  due_at   int8,                           -- NULL while only an outcome, receipt or caller can move it
  version  int4 NOT NULL,                  -- each change expects the one before
  state    bytea NOT NULL,                 -- the instance
  PRIMARY KEY (scope, n)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000,
        autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.1);
-- What is due, and what a node that is gone leaves behind, whether due or not.
CREATE INDEX live_owner ON live (scope, owner, due_at);

-- The state of a message that has ended. Changed only by what comes late: a receipt, a reply.
CREATE TABLE ended (
  scope    int8 NOT NULL,
  n        int8 NOT NULL,                  -- message.n
  owner    int8 NOT NULL,                  -- node.n: who wrote it last
  status   int2 NOT NULL,
  at       int8 NOT NULL,
  version  int4 NOT NULL,
  state    bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE INDEX ended_status ON ended (scope, status, n);

-- The audit of messages: one row a change. Only ever added to.
CREATE TABLE journal (
  scope    int8 NOT NULL,
  n        int8 NOT NULL,
  message  int8,                           -- message.n; NULL for the scope's own
  seq      int8 NOT NULL,                  -- number of the first transition
  count    int4 NOT NULL,                  -- how many transitions
  at       int8 NOT NULL,
  body     bytea NOT NULL,
  hash     bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX journal_message ON journal (scope, message, seq) WHERE message IS NOT NULL;

-- What tenants are told. Endpoints keep a position in it.
CREATE TABLE event (
  scope     int8 NOT NULL,
  n         int8 NOT NULL,
  id        uuid NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  at        int8 NOT NULL,
  message   int8,                          -- message.n
  sequence  int8,                          -- from 1 within a message
  data      bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX event_id ON event (scope, id);
CREATE INDEX event_message ON event (scope, message) WHERE message IS NOT NULL;

-- The intent of a call, durable before the call is made. Never claimed, never updated.
CREATE TABLE attempt (
  scope     int8 NOT NULL,
  n         int8 NOT NULL,
  id        uuid NOT NULL,
  message   int8 NOT NULL,                 -- message.n
  provider  text COLLATE "C" NOT NULL,
  channel   int2 NOT NULL,
  at        int8 NOT NULL,
  address   uuid,                          -- keyed hash, by which a reply finds it
  doc       bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX attempt_id ON attempt (scope, id);
CREATE INDEX attempt_message ON attempt (scope, message);
CREATE INDEX attempt_address ON attempt (scope, address, n) WHERE address IS NOT NULL;

-- What came of a call. An attempt without a row here is in doubt after a crash; one in doubt may get a
-- second row, and the newest counts.
CREATE TABLE outcome (
  scope                int8 NOT NULL,
  n                    int8 NOT NULL,
  message              int8 NOT NULL,      -- message.n
  attempt              uuid NOT NULL,      -- attempt.id
  outcome              int2 NOT NULL,
  provider             text COLLATE "C" NOT NULL,
  provider_message_id  text COLLATE "C",
  at                   int8 NOT NULL,
  detail               bytea,
  PRIMARY KEY (scope, n)
);
CREATE INDEX outcome_message ON outcome (scope, message);
CREATE INDEX outcome_provider_id ON outcome (scope, provider, provider_message_id)
  WHERE provider_message_id IS NOT NULL;

-- The first answer to each idempotency key. `at` is real time; dropped by age.
CREATE TABLE idempotency (
  scope    int8 NOT NULL,
  key      uuid NOT NULL,                  -- of the key's SHA-256
  request  bytea NOT NULL CHECK (length(request) = 32),
  status   int2 NOT NULL,
  form     int2 NOT NULL,                  -- 0 empty, 1 plain, 2 sealed, 3 a first body, 4 several
  answer   bytea,
  at       int8 NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_at ON idempotency USING brin (scope, at);

-- The key under which a person's data is sealed. An erasure deletes the row.
CREATE TABLE subject (
  scope       int8 NOT NULL,
  id          uuid NOT NULL,
  sealed_key  bytea NOT NULL,
  PRIMARY KEY (scope, id)
);

CREATE TABLE contact (
  scope        int8 NOT NULL,
  n            int8 NOT NULL,
  id           uuid NOT NULL,
  external_id  text COLLATE "C",
  version      int4 NOT NULL,
  created_at   int8 NOT NULL,
  updated_at   int8 NOT NULL,
  doc          bytea NOT NULL,             -- in clear
  sealed       bytea NOT NULL,             -- name, addresses, attributes
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX contact_id ON contact (scope, id);
CREATE UNIQUE INDEX contact_external_id ON contact (scope, external_id) WHERE external_id IS NOT NULL;

-- Whether an address wants a channel. Outlives the contact.
CREATE TABLE consent (
  scope      int8 NOT NULL,
  channel    int2 NOT NULL,
  address    uuid NOT NULL,                -- keyed hash
  opted_out  boolean NOT NULL,
  at         int8 NOT NULL,
  PRIMARY KEY (scope, channel, address)
);

-- Templates (kind 0) and policies (kind 1): a row a name, and a row a version.
CREATE TABLE version_name (
  scope    int8 NOT NULL,
  n        int8 NOT NULL,
  kind     int2 NOT NULL,
  name     text COLLATE "C" NOT NULL,
  newest   int4 NOT NULL,
  deleted  int4 NOT NULL DEFAULT 0,        -- versions up to this one are gone for callers
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX version_name_name ON version_name (scope, kind, name);
CREATE TABLE version (
  scope       int8 NOT NULL,
  n           int8 NOT NULL,
  kind        int2 NOT NULL,
  name        text COLLATE "C" NOT NULL,
  version     int4 NOT NULL,
  id          uuid NOT NULL,
  created_at  int8 NOT NULL,
  doc         bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX version_version ON version (scope, kind, name, version);

CREATE TABLE provider (
  scope        int8 NOT NULL,
  n            int8 NOT NULL,
  id           uuid NOT NULL,
  name         text COLLATE "C" NOT NULL,
  version      int4 NOT NULL,
  created_at   int8 NOT NULL,
  doc          bytea NOT NULL,
  credentials  bytea,                      -- sealed under the scope's key
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX provider_id ON provider (scope, id);
CREATE UNIQUE INDEX provider_name ON provider (scope, name);

-- Breakers and pauses, by name; changed under a version, since every node writes them.
CREATE TABLE provider_state (
  scope     int8 NOT NULL,
  provider  text COLLATE "C" NOT NULL,
  version   int4 NOT NULL,
  doc       bytea NOT NULL,
  PRIMARY KEY (scope, provider)
);

CREATE TABLE quota (
  scope  int8 NOT NULL,
  name   text COLLATE "C" NOT NULL,        -- `messages`, or a channel
  day    int8,
  month  int8,
  PRIMARY KEY (scope, name)
);

-- What was added to the counters of quotas: a row a transaction, folded later. A counter is the sum.
CREATE TABLE usage (
  scope  int8 NOT NULL,
  n      int8 NOT NULL,
  name   text COLLATE "C" NOT NULL,
  win    int2 NOT NULL,                    -- 0 day, 1 month, 2 places held by calls under way
  start  int8 NOT NULL,                    -- 0 for places held
  add    int8 NOT NULL,
  told   int2 NOT NULL,                    -- highest threshold told, in percent
  PRIMARY KEY (scope, name, win, start, n)
) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 500);

CREATE TABLE endpoint (
  scope       int8 NOT NULL,
  n           int8 NOT NULL,
  id          uuid NOT NULL,
  version     int4 NOT NULL,
  created_at  int8 NOT NULL,
  enabled     boolean NOT NULL,
  position    int8 NOT NULL,               -- event.n up to which events were taken up
  doc         bytea NOT NULL,
  secrets     bytea NOT NULL,              -- sealed under the scope's key
  PRIMARY KEY (scope, n)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX endpoint_id ON endpoint (scope, id);

-- An event on its way to an endpoint, written once its first try has ended.
CREATE TABLE delivery (
  scope        int8 NOT NULL,
  n            int8 NOT NULL,
  id           uuid NOT NULL,
  event        int8 NOT NULL,              -- event.n
  event_id     uuid NOT NULL,
  event_at     int8 NOT NULL,
  endpoint     uuid NOT NULL,              -- endpoint.id
  version      int4 NOT NULL,
  state        int2 NOT NULL,              -- 0 pending, 1 delivered, 2 dead
  next_try_at  int8,
  tries        bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE UNIQUE INDEX delivery_id ON delivery (scope, id);
CREATE INDEX delivery_endpoint ON delivery (scope, endpoint, n);
CREATE INDEX delivery_due ON delivery (scope, next_try_at) WHERE state = 0 AND next_try_at IS NOT NULL;
CREATE INDEX delivery_pending ON delivery (scope, endpoint, next_try_at) WHERE state = 0;
CREATE INDEX delivery_dead ON delivery (scope, n) WHERE state = 2;
-- An event is dropped with its deliveries.
CREATE INDEX delivery_event ON delivery (scope, event);

-- Receipts that came before the answer to the send. `at` is real time: kept ten minutes.
CREATE TABLE early_receipt (
  scope                int8 NOT NULL,
  n                    int8 NOT NULL,
  provider             text COLLATE "C" NOT NULL,
  provider_message_id  text COLLATE "C" NOT NULL,
  at                   int8 NOT NULL,
  doc                  bytea NOT NULL,
  PRIMARY KEY (scope, n)
);
CREATE INDEX early_receipt_id ON early_receipt (scope, provider, provider_message_id);

-- How far the scope's clock is ahead of real time, and how far an advance under way goes.
CREATE TABLE clock (
  scope           int8 PRIMARY KEY,
  advanced_by_ms  int8 NOT NULL,
  target_ms       int8
);

-- What callers changed: one chain a scope. Only ever added to.
CREATE TABLE audit (
  scope      int8 NOT NULL,
  n          int8 NOT NULL,                -- from 1, without gaps
  id         uuid NOT NULL,
  at         int8 NOT NULL,
  who        text NOT NULL,
  what       text NOT NULL,
  object     text,
  request    text,
  canonical  bytea NOT NULL,               -- what is hashed
  hash       bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (scope, n)
);

-- Where a chain of the audit begins, because the operator removed what was before.
CREATE TABLE pruned (
  scope    int8 NOT NULL,
  chain    int2 NOT NULL,                  -- 0 the scope's own audit, 1 the journals of messages
  n        int8 NOT NULL,                  -- the last entry that was removed
  before   int8 NOT NULL,                  -- everything that was removed is older than this
  entries  int8 NOT NULL,                  -- how many were removed, over all times
  hash     bytea NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (scope, chain)
);

-- What came in at one node and is to be carried out by the owner of the message.
CREATE TABLE signal (
  scope    int8 NOT NULL,
  n        int8 NOT NULL,
  message  int8 NOT NULL,                  -- message.n
  at       int8 NOT NULL,                  -- in real time
  doc      bytea NOT NULL,
  PRIMARY KEY (scope, n)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
CREATE INDEX signal_message ON signal (scope, message);

-- Duties of a scope, and the node that has them.
CREATE TABLE claim (
  scope  int8 NOT NULL,
  name   text COLLATE "C" NOT NULL,
  node   int8 NOT NULL,                    -- node.n
  PRIMARY KEY (scope, name)
);

-- How often a scope's facts were changed, and in which block of positions last.
CREATE TABLE generation (
  scope     int8 PRIMARY KEY,
  settings  int8 NOT NULL DEFAULT 0,
  people    int8 NOT NULL DEFAULT 0,
  health    int8 NOT NULL DEFAULT 0,
  changed   int8 NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX generation_changed ON generation (changed);

-- The installation's own tables. In a transaction that is bound to a scope they show that scope's rows.

CREATE TABLE tenant (
  n           int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id          uuid NOT NULL UNIQUE,
  name        text COLLATE "C" NOT NULL UNIQUE,
  timezone    text NOT NULL,
  currency    text NOT NULL,
  created_at  int8 NOT NULL                -- in real time
);

-- One tenant in one environment.
CREATE SEQUENCE scope_id AS int8;
CREATE TABLE scope (
  id           int8 PRIMARY KEY,
  tenant       uuid NOT NULL,              -- tenant.id
  environment  int2 NOT NULL,              -- 0 test, 1 live
  sealed_key   bytea NOT NULL,             -- the scope's key, sealed by the operator's
  UNIQUE (tenant, environment)
);

-- API keys. The key itself is not kept, only its SHA-256.
CREATE TABLE key (
  n             int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id            uuid NOT NULL UNIQUE,
  scope         int8 NOT NULL,
  name          text NOT NULL,
  hash          bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
  hint          text NOT NULL,
  permissions   int2 NOT NULL,             -- bits
  created_at    int8 NOT NULL,
  last_used_at  int8,                      -- may lag
  expires_at    int8,
  revoked_at    int8
);
CREATE INDEX key_scope ON key (scope, n);

-- Whose a provider is: a callback comes without a key.
CREATE TABLE provider_scope (
  provider  uuid PRIMARY KEY,
  scope     int8 NOT NULL
);

-- Subjects whose keys were destroyed. A backup made earlier still holds them.
CREATE TABLE erased (
  scope    int8 NOT NULL,
  subject  uuid NOT NULL,
  at       int8 NOT NULL,
  PRIMARY KEY (scope, subject)
);

-- The first answers of requests that write here (`/keys`).
CREATE TABLE registry_idempotency (
  scope    int8 NOT NULL,
  key      uuid NOT NULL,
  request  bytea NOT NULL CHECK (length(request) = 32),
  status   int2 NOT NULL,
  form     int2 NOT NULL,
  answer   bytea,
  at       int8 NOT NULL,
  PRIMARY KEY (scope, key)
);

-- What was changed here: one chain a scope (0 for the installation). Only ever added to.
CREATE TABLE registry_audit (
  n          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  scope      int8 NOT NULL,
  id         uuid NOT NULL,
  at         int8 NOT NULL,
  who        text NOT NULL,
  what       text NOT NULL,
  object     text,
  request    text,
  canonical  bytea NOT NULL,
  hash       bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX registry_audit_scope ON registry_audit (scope, n);

-- How often the registry was written: what a node has of it in memory is as of one version. The row's
-- lock also puts those who write the registry in order.
CREATE TABLE registry_state (
  one      boolean PRIMARY KEY CHECK (one),
  version  int8 NOT NULL
);
INSERT INTO registry_state VALUES (true, 1);

-- Runs of the program. A number is never used twice. Leases are on the database's clock.
CREATE TABLE node (
  n            int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text NOT NULL,
  epoch        int8 NOT NULL DEFAULT 1,    -- raised when the node ends
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until  timestamptz NOT NULL,
  ended_at     timestamptz                 -- it left, or its lease ran out
) WITH (fillfactor = 50);

-- What is only added to.
CREATE FUNCTION only_added_to() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the % is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER journal_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
  FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER audit_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER registry_audit_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON registry_audit
  FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();

-- Row-level security. `spine.scope` binds a transaction to a scope; `spine.registry` opens the
-- installation's own tables to the engine, and none of a tenant's.
DO $$
DECLARE
  of text;
  bound text := '(SELECT nullif(current_setting(''spine.scope'', true), '''')::int8)';
  registry text := '(SELECT current_setting(''spine.registry'', true)) = ''on''';
BEGIN
  FOR of IN SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', of);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', of);
  END LOOP;
  FOREACH of IN ARRAY ARRAY['message', 'content', 'live', 'ended', 'journal', 'event', 'attempt', 'outcome',
      'idempotency', 'subject', 'contact', 'consent', 'version_name', 'version', 'provider',
      'provider_state', 'quota', 'usage', 'endpoint', 'delivery', 'early_receipt', 'clock', 'audit', 'pruned', 'signal',
      'claim', 'generation', 'key', 'provider_scope', 'erased', 'registry_idempotency', 'registry_audit']
  LOOP
    EXECUTE format('CREATE POLICY bound ON %I TO spine_engine, spine_api USING (scope = %s) WITH CHECK (scope = %s)',
                   of, bound, bound);
    -- What is written in a scope's transaction is the scope's.
    EXECUTE format('ALTER TABLE %I ALTER COLUMN scope SET DEFAULT nullif(current_setting(''spine.scope'', true), '''')::int8', of);
    EXECUTE format('GRANT SELECT ON %I TO spine_api', of);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO spine_engine', of);
  END LOOP;
  EXECUTE format('CREATE POLICY bound ON scope TO spine_engine, spine_api USING (id = %s)', bound);
  EXECUTE format('CREATE POLICY bound ON tenant TO spine_engine, spine_api '
                 'USING (id = (SELECT s.tenant FROM scope s WHERE s.id = %s))', bound);
  GRANT SELECT ON scope, tenant TO spine_api;
  GRANT SELECT, INSERT ON scope, tenant TO spine_engine;
  FOREACH of IN ARRAY ARRAY['tenant', 'scope', 'key', 'provider_scope', 'erased', 'registry_idempotency',
      'registry_audit']
  LOOP
    EXECUTE format('CREATE POLICY registry ON %I TO spine_engine USING (%s) WITH CHECK (%s)',
                   of, registry, registry);
  END LOOP;
  EXECUTE format('CREATE POLICY registry ON generation FOR SELECT TO spine_engine USING (%s)', registry);
  EXECUTE format('CREATE POLICY made ON generation FOR INSERT TO spine_engine WITH CHECK (%s)', registry);
END $$;

-- What is written again, or goes: also messages that ended long ago, but not their journal. Where the audit
-- begins is nothing that the engine can say.
GRANT UPDATE ON live, ended, contact, consent, version_name, provider, provider_state, quota, endpoint, delivery,
  clock, generation, claim, key, erased TO spine_engine;
GRANT DELETE ON message, content, ended, event, attempt, outcome, live, idempotency, subject, contact, consent, provider, endpoint, delivery, early_receipt, usage,
  signal, claim, provider_scope, registry_idempotency TO spine_engine;
GRANT USAGE, SELECT ON SEQUENCE position TO spine_engine;
GRANT SELECT ON SEQUENCE position TO spine_api;
GRANT USAGE ON SEQUENCE scope_id TO spine_engine;

-- Tables without a tenant's rows.
REVOKE INSERT ON pruned FROM spine_engine;
CREATE POLICY engine ON registry_state TO spine_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON node TO spine_engine USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON registry_state TO spine_engine;
GRANT SELECT, INSERT, UPDATE, DELETE ON node TO spine_engine;

-- The book of migrations, which the owner keeps.
CREATE POLICY owner ON migration TO spine_owner USING (true) WITH CHECK (true);
CREATE POLICY reader ON migration FOR SELECT TO spine_engine USING (true);
GRANT SELECT ON migration TO spine_engine;

-- What a node asks about all scopes at once: answered by functions that give scopes and positions, so
-- that the engine's own role need not see another scope's rows.
CREATE POLICY watch ON live FOR SELECT TO spine_owner USING (true);
CREATE POLICY watch ON signal FOR SELECT TO spine_owner USING (true);
CREATE POLICY watch ON event FOR SELECT TO spine_owner USING (true);
CREATE POLICY watch ON scope FOR SELECT TO spine_owner USING (true);
CREATE POLICY watch ON node FOR SELECT TO spine_owner USING (true);

-- Scopes in which messages wait whose owner has ended.
CREATE FUNCTION orphaned() RETURNS SETOF int8 LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id FROM spine.scope s WHERE EXISTS (
    SELECT FROM spine.node d JOIN spine.live l ON l.scope = s.id AND l.owner = d.n WHERE d.ended_at IS NOT NULL)
$$;

-- Scopes in which signals wait for this node: of messages that it owns, or that have ended.
CREATE FUNCTION signalled(node int8) RETURNS SETOF int8 LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT g.scope FROM spine.signal g LEFT JOIN spine.live l ON l.scope = g.scope AND l.n = g.message
  WHERE l.n IS NULL OR l.owner = $1
$$;

-- The newest event of each of these scopes, where it is newer than what is known.
CREATE FUNCTION newest_events(scopes int8[], known int8[]) RETURNS TABLE (scope int8, n int8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT a.scope, e.n FROM unnest($1, $2) AS a (scope, known)
  CROSS JOIN LATERAL (SELECT v.n FROM spine.event v WHERE v.scope = a.scope AND v.n > a.known
                      ORDER BY v.n DESC LIMIT 1) AS e
$$;

REVOKE ALL ON FUNCTION only_added_to(), orphaned(), signalled(int8), newest_events(int8[], int8[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION orphaned(), signalled(int8), newest_events(int8[], int8[]) TO spine_engine;
GRANT USAGE ON SCHEMA spine TO spine_engine, spine_api;
