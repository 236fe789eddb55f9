-- Imported entries. sqlite/008_import.sql explains the table.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 10) THEN RETURN; END IF;
CREATE TABLE bellwire.import_key (
    digest TEXT COLLATE "C" PRIMARY KEY,
    request_digest TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    imported_at_ms BIGINT NOT NULL
);
CREATE INDEX import_key_imported ON bellwire.import_key (imported_at_ms);
UPDATE bellwire.record SET schema_version = 10;
END $migration$
