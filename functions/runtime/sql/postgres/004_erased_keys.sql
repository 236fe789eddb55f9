-- Idempotency keys of erased users. sqlite/003_erased_keys.sql explains the columns.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 4) THEN RETURN; END IF;
CREATE TABLE bellwire.erased_keys (
    digest TEXT COLLATE "C" PRIMARY KEY,
    request_digest TEXT NOT NULL,
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL
);
CREATE INDEX erased_keys_created ON bellwire.erased_keys (created_at_ms);
-- create_2, which hosts of the previous version still call, plus the keys of erased users.
CREATE FUNCTION bellwire.create_4(
    new_user_id TEXT, new_id TEXT, new_title TEXT, new_body TEXT, new_kind TEXT, new_data TEXT,
    new_created_at_ms BIGINT, new_expires_at_ms BIGINT, new_idempotency TEXT, new_request_hash TEXT,
    new_key_digest TEXT
) RETURNS TABLE (entry_id TEXT, entry_seq BIGINT, record_epoch TEXT) LANGUAGE plpgsql AS $function$
BEGIN
    -- One statement: an erase moves a key from one table to the other.
    IF new_idempotency IS NOT NULL AND (
        EXISTS (SELECT 1 FROM bellwire.notifications WHERE idempotency = new_idempotency)
        OR EXISTS (SELECT 1 FROM bellwire.erased_keys WHERE digest = new_key_digest)
    ) THEN
        RETURN;
    END IF;
    -- The row lock on the counter orders a user's seqs by commit.
    INSERT INTO bellwire.feed (user_id, seq, updated_at_ms)
    VALUES (new_user_id, 1, new_created_at_ms)
    ON CONFLICT (user_id) DO UPDATE
    SET seq = feed.seq + 1, updated_at_ms = excluded.updated_at_ms
    RETURNING feed.seq INTO entry_seq;
    -- Two calls with one new key do not see each other. The second fails here, on the unique index,
    -- and its count is rolled back; ON CONFLICT DO NOTHING would lose a seq.
    INSERT INTO bellwire.notifications (user_id, seq, id, title, body, kind, data, created_at_ms,
        expires_at_ms, idempotency, request_hash)
    VALUES (new_user_id, entry_seq, new_id, new_title, new_body, new_kind, new_data,
        new_created_at_ms, new_expires_at_ms, new_idempotency, new_request_hash);
    entry_id := new_id;
    SELECT record.epoch INTO record_epoch FROM bellwire.record;
    RETURN NEXT;
END $function$;
UPDATE bellwire.record SET schema_version = 4;
END $migration$
