-- What is old can go: positions that were given are remembered, deliveries are found by their event,
-- and the operator can remove the beginning of the audit.

-- What a program must know to work on this file: the number of a migration. One that knows fewer
-- migrations than the file has, and this one, may go on with it.
CREATE TABLE schema (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  needs  INTEGER NOT NULL
) STRICT;

-- Up to which position of a table positions were given, as of the last time that rows of it were
-- dropped: a position is never given twice, also where the newest row is gone.
CREATE TABLE head (
  name  TEXT PRIMARY KEY,
  n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An event is dropped with its deliveries, and stays while one of them is pending or dead. Events'
-- positions rise, so this index is appended to.
CREATE INDEX delivery_event ON delivery (event);

-- What the operator removed of the audit: a chain begins behind it. Rows are replaced by later ones,
-- and never removed.
CREATE TABLE pruned (
  chain    INTEGER PRIMARY KEY,         -- 0 the audit, 1 the journals of dropped messages
  before   INTEGER NOT NULL,            -- everything removed is older than this
  n        INTEGER NOT NULL,            -- audit.n of the last entry removed; 0 for the journals
  entries  INTEGER NOT NULL,            -- how many, over all times
  hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER pruned_no_delete BEFORE DELETE ON pruned
  BEGIN SELECT raise(ABORT, 'where the audit begins is not forgotten'); END;
CREATE TRIGGER pruned_forward BEFORE UPDATE ON pruned
  WHEN NEW.before < OLD.before OR NEW.n < OLD.n OR NEW.entries < OLD.entries OR NEW.chain <> OLD.chain
  BEGIN SELECT raise(ABORT, 'where the audit begins does not go back'); END;

-- Only what stands before that place can be deleted, and of the journal only that of a message which
-- is gone.
DROP TRIGGER audit_no_delete;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
  WHEN OLD.n > coalesce((SELECT n FROM pruned WHERE chain = 0), 0)
  BEGIN SELECT raise(ABORT, 'the audit is only added to'); END;
DROP TRIGGER journal_no_delete;
CREATE TRIGGER journal_no_delete BEFORE DELETE ON journal
  WHEN OLD.message IS NULL
    OR OLD.at >= coalesce((SELECT before FROM pruned WHERE chain = 1), 0)
    OR EXISTS (SELECT 1 FROM message WHERE n = OLD.message)
  BEGIN SELECT raise(ABORT, 'the journal is only added to'); END;
