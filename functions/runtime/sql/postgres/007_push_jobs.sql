-- Push jobs. sqlite/006_push_jobs.sql explains the columns.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 7) THEN RETURN; END IF;
CREATE TABLE bellwire.push_job (
    user_id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    options TEXT NOT NULL,
    next_at_ms BIGINT NOT NULL,
    rev BIGINT NOT NULL DEFAULT 0,
    attempts BIGINT NOT NULL DEFAULT 0,
    done TEXT NOT NULL DEFAULT '[]',
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, seq)
);
CREATE INDEX push_job_next ON bellwire.push_job (next_at_ms);
ALTER TABLE bellwire.notifications ADD COLUMN push TEXT;
-- create_4, which hosts of the previous version still call, plus the push.
CREATE FUNCTION bellwire.create_7(
    new_user_id TEXT, new_id TEXT, new_title TEXT, new_body TEXT, new_kind TEXT, new_data TEXT,
    new_created_at_ms BIGINT, new_expires_at_ms BIGINT, new_idempotency TEXT, new_request_hash TEXT,
    new_key_digest TEXT, new_push TEXT
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
        expires_at_ms, idempotency, request_hash, push)
    VALUES (new_user_id, entry_seq, new_id, new_title, new_body, new_kind, new_data,
        new_created_at_ms, new_expires_at_ms, new_idempotency, new_request_hash, new_push);
    IF new_push IS NOT NULL THEN
        INSERT INTO bellwire.push_job (user_id, seq, options, next_at_ms, created_at_ms)
        VALUES (new_user_id, entry_seq, new_push, new_created_at_ms
            + 1000 * coalesce((new_push::json->>'afterSeconds')::bigint, 0), new_created_at_ms);
    END IF;
    entry_id := new_id;
    SELECT record.epoch INTO record_epoch FROM bellwire.record;
    RETURN NEXT;
END $function$;
UPDATE bellwire.record SET schema_version = 7;
END $migration$
