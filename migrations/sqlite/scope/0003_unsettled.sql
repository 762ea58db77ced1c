-- Messages that have ended and of which something is still to come: a call of theirs is open, or a script
-- has yet to say something. Few have such a row, and it goes when all of it has come. Only adds: a program
-- that does not know it goes on, and loses at a restart what it always lost.
CREATE TABLE unsettled (
  n       INTEGER PRIMARY KEY,          -- ended.n
  due_at  INTEGER NOT NULL              -- when to look at it: for an open call, at once
) STRICT;
CREATE INDEX unsettled_due ON unsettled (due_at);

-- Of those that ended before this was written down, the ones whose call has no outcome are closed at the
-- next start.
INSERT INTO unsettled(n, due_at)
  SELECT e.n, e.at FROM ended e WHERE EXISTS (
    SELECT 1 FROM attempt a WHERE a.message = e.n AND NOT EXISTS (
      SELECT 1 FROM outcome o WHERE o.message = a.message AND o.attempt = a.id));
