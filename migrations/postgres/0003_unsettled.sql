-- Messages that have ended and of which something is still to come. Only adds: a program that does not
-- know it goes on, and loses at a restart what it always lost.

-- A message that has ended while a call of it is open, or of which a script has yet to say something. Few
-- have such a row, and it goes when all of it has come.
CREATE TABLE unsettled (
  scope   int8 NOT NULL DEFAULT nullif(current_setting('spine.scope', true), '')::int8,
  n       int8 NOT NULL,                   -- ended.n
  owner   int8 NOT NULL,                   -- node.n: who has its call open, or speaks for its script
  due_at  int8 NOT NULL,                   -- when to look at it: for an open call, at once
  PRIMARY KEY (scope, n)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
CREATE INDEX unsettled_owner ON unsettled (scope, owner, due_at);

ALTER TABLE unsettled ENABLE ROW LEVEL SECURITY;
ALTER TABLE unsettled FORCE ROW LEVEL SECURITY;
DO $$
DECLARE
  bound text := '(SELECT nullif(current_setting(''spine.scope'', true), '''')::int8)';
BEGIN
  EXECUTE format('CREATE POLICY bound ON unsettled TO spine_engine, spine_api USING (scope = %s) WITH CHECK (scope = %s)',
                 bound, bound);
END $$;
CREATE POLICY watch ON unsettled FOR SELECT TO spine_owner USING (true);
GRANT SELECT ON unsettled TO spine_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON unsettled TO spine_engine;

-- Scopes in which messages wait whose owner has ended.
CREATE OR REPLACE FUNCTION orphaned() RETURNS SETOF int8 LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT s.id FROM spine.scope s WHERE EXISTS (
    SELECT FROM spine.node d WHERE d.ended_at IS NOT NULL AND (
      EXISTS (SELECT FROM spine.live l WHERE l.scope = s.id AND l.owner = d.n)
      OR EXISTS (SELECT FROM spine.unsettled u WHERE u.scope = s.id AND u.owner = d.n)))
$$;

-- Scopes in which signals wait for this node: of messages that it owns, or of which nothing is still to come.
CREATE OR REPLACE FUNCTION signalled(node int8) RETURNS SETOF int8 LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
  SELECT DISTINCT g.scope FROM spine.signal g
  LEFT JOIN spine.live l ON l.scope = g.scope AND l.n = g.message
  LEFT JOIN spine.unsettled u ON u.scope = g.scope AND u.n = g.message
  WHERE coalesce(coalesce(l.owner, u.owner) = $1, true)
$$;
