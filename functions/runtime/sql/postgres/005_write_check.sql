-- One row that the readiness probe writes now and then: a record that serves reads may be read-only
-- or on a full disk.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 5) THEN RETURN; END IF;
CREATE TABLE bellwire.write_check (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at_ms BIGINT NOT NULL,
    filler TEXT NOT NULL
);
-- Neither compressed nor moved out of line: each version of the row takes a page.
ALTER TABLE bellwire.write_check ALTER COLUMN filler SET STORAGE PLAIN;
INSERT INTO bellwire.write_check (one, at_ms, filler) VALUES (1, 0, '');
UPDATE bellwire.record SET schema_version = 5;
END $migration$
