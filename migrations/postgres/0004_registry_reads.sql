-- What a transaction that is bound to a scope may do in the installation's own tables: read its own rows,
-- and write none.
--
-- Their keys are unique over all scopes (the hash of an API key, the id of a provider, the name of a
-- tenant), because they are looked up before it is known whose they are. Who could write a row of his own
-- could so ask whether somebody else has the same. They are written with `spine.registry` alone, as they
-- always were.

DO $$
DECLARE
  of text;
  bound text := '(SELECT nullif(current_setting(''spine.scope'', true), '''')::int8)';
BEGIN
  FOREACH of IN ARRAY ARRAY['key', 'provider_scope', 'erased', 'registry_idempotency', 'registry_audit']
  LOOP
    EXECUTE format('DROP POLICY bound ON %I', of);
    EXECUTE format('CREATE POLICY bound ON %I FOR SELECT TO spine_engine, spine_api USING (scope = %s)', of, bound);
  END LOOP;
  DROP POLICY bound ON scope;
  EXECUTE format('CREATE POLICY bound ON scope FOR SELECT TO spine_engine, spine_api USING (id = %s)', bound);
  DROP POLICY bound ON tenant;
  EXECUTE format('CREATE POLICY bound ON tenant FOR SELECT TO spine_engine, spine_api '
                 'USING (id = (SELECT s.tenant FROM scope s WHERE s.id = %s))', bound);
END $$;
