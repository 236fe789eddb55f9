-- create.sql as a function: the host prepares every statement again, and planning was most of its
-- cost in the database. The plans of a function stay with the connection.
-- A function is never changed. A new version gets the number of its migration as a suffix, so that
-- hosts of two versions can share a database.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 2) THEN RETURN; END IF;
CREATE OR REPLACE FUNCTION bellwire.create_2(
    new_user_id TEXT, new_id TEXT, new_title TEXT, new_body TEXT, new_kind TEXT, new_data TEXT,
    new_created_at_ms BIGINT, new_expires_at_ms BIGINT, new_idempotency TEXT, new_request_hash TEXT
) RETURNS TABLE (entry_id TEXT, entry_seq BIGINT, record_epoch TEXT) LANGUAGE plpgsql AS $function$
BEGIN
    IF new_idempotency IS NOT NULL
        AND EXISTS (SELECT 1 FROM bellwire.notifications WHERE idempotency = new_idempotency)
    THEN
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
UPDATE bellwire.record SET schema_version = 2;
END $migration$
