-- What a program must know to work on this file: the number of a migration. One that knows fewer
-- migrations than the file has, and this one, may go on with it.
CREATE TABLE schema (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  needs  INTEGER NOT NULL
) STRICT;
