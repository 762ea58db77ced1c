-- The operator can remove the beginning of the audit, and the schema says what a program must know to work
-- on it. Only adds: a program that knows the first migration alone
-- goes on.

-- The number of the migration that a program must know to work on the schema after this one.
ALTER TABLE migration ADD COLUMN needs int8 NOT NULL DEFAULT 1;

-- Only what stands before that place can be deleted, by whatever role, and of the journal only that of a
-- message which is gone. The place does not go back.
CREATE FUNCTION only_pruned() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  goes boolean;
BEGIN
  IF TG_TABLE_NAME = 'audit' THEN
    goes := OLD.n <= (SELECT p.n FROM spine.pruned p WHERE p.scope = OLD.scope AND p.chain = 0);
  ELSE
    goes := OLD.message IS NOT NULL
      AND OLD.at < (SELECT p.before FROM spine.pruned p WHERE p.scope = OLD.scope AND p.chain = 1)
      AND NOT EXISTS (SELECT FROM spine.message m WHERE m.scope = OLD.scope AND m.n = OLD.message);
  END IF;
  IF goes IS NOT TRUE THEN
    RAISE EXCEPTION 'the % is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN OLD;
END $$;
CREATE FUNCTION only_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR NEW.scope <> OLD.scope OR NEW.chain <> OLD.chain OR NEW.before < OLD.before
     OR NEW.n < OLD.n OR NEW.entries < OLD.entries THEN
    RAISE EXCEPTION 'where the audit begins does not go back' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER journal_only_added_to ON journal;
CREATE TRIGGER journal_only_added_to BEFORE UPDATE OR TRUNCATE ON journal
  FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER journal_only_pruned BEFORE DELETE ON journal FOR EACH ROW EXECUTE FUNCTION only_pruned();
DROP TRIGGER audit_only_added_to ON audit;
CREATE TRIGGER audit_only_added_to BEFORE UPDATE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION only_added_to();
CREATE TRIGGER audit_only_pruned BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION only_pruned();
CREATE TRIGGER pruned_only_forward BEFORE UPDATE OR DELETE ON pruned FOR EACH ROW EXECUTE FUNCTION only_forward();

DO $$
DECLARE
  bound text := '(SELECT nullif(current_setting(''spine.scope'', true), '''')::int8)';
BEGIN
  -- The owner removes, in one scope at a time.
  EXECUTE format('CREATE POLICY prunes ON pruned TO spine_owner USING (scope = %s) WITH CHECK (scope = %s)', bound, bound);
  EXECUTE format('CREATE POLICY prunes ON audit TO spine_owner USING (scope = %s) WITH CHECK (false)', bound);
  EXECUTE format('CREATE POLICY prunes ON journal TO spine_owner USING (scope = %s) WITH CHECK (false)', bound);
  EXECUTE format('CREATE POLICY prunes ON message FOR SELECT TO spine_owner USING (scope = %s)', bound);
END $$;
REVOKE ALL ON FUNCTION only_pruned(), only_forward() FROM PUBLIC;
