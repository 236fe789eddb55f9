-- Muted notifications. sqlite/007_muted.sql explains the columns. Preferences need no copy here: plans
-- are kept, and only users with preferences have a row to read.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 8) THEN RETURN; END IF;
ALTER TABLE bellwire.erased_keys ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bellwire.notifications ADD COLUMN muted INTEGER NOT NULL DEFAULT 0;
-- create_7, which hosts of the previous version still call, plus what the user wants of the kind.
CREATE FUNCTION bellwire.create_8(
    new_user_id TEXT, new_id TEXT, new_title TEXT, new_body TEXT, new_kind TEXT, new_data TEXT,
    new_created_at_ms BIGINT, new_expires_at_ms BIGINT, new_idempotency TEXT, new_request_hash TEXT,
    new_key_digest TEXT, new_push TEXT
) RETURNS TABLE (
    entry_id TEXT, entry_seq BIGINT, record_epoch TEXT, entry_muted INTEGER
) LANGUAGE plpgsql AS $function$
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
        expires_at_ms, idempotency, request_hash, push, muted, read_at_ms)
    SELECT new_user_id, entry_seq, new_id, new_title, new_body, new_kind, new_data,
        new_created_at_ms, new_expires_at_ms, new_idempotency, new_request_hash, new_push,
        wish.muted, CASE wish.muted WHEN 1 THEN new_created_at_ms END
    FROM (
        SELECT count(*)::integer AS muted FROM bellwire.preference
        WHERE user_id = new_user_id AND json::json->'kinds'->new_kind->>'feed' = 'false'
    ) AS wish
    RETURNING notifications.muted INTO entry_muted;
    IF new_push IS NOT NULL THEN
        INSERT INTO bellwire.push_job (user_id, seq, options, next_at_ms, created_at_ms)
        VALUES (new_user_id, entry_seq, new_push, new_created_at_ms
            + 1000 * coalesce((new_push::json->>'afterSeconds')::bigint, 0), new_created_at_ms);
    END IF;
    entry_id := new_id;
    SELECT record.epoch INTO record_epoch FROM bellwire.record;
    RETURN NEXT;
END $function$;
UPDATE bellwire.record SET schema_version = 8;
END $migration$
