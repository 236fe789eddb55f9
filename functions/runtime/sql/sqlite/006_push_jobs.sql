-- Pushes that are due or will be: one row for each notification whose create asked for one. The row
-- is deleted once the push needs no further attempt.
CREATE TABLE IF NOT EXISTS push_job (
    user_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    -- The create's `push`, as JSON.
    options TEXT NOT NULL,
    -- When the job may be claimed: its time, the end of a lease, or the end of a wait.
    next_at_ms INTEGER NOT NULL,
    -- Grows with every claim: a result counts only with the revision of the latest one.
    rev INTEGER NOT NULL DEFAULT 0,
    -- Attempts that count.
    attempts INTEGER NOT NULL DEFAULT 0,
    -- Names of the devices that need no further attempt, as a JSON array.
    done TEXT NOT NULL DEFAULT '[]',
    created_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, seq)
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS push_job_next ON push_job (next_at_ms)
--;
-- The create's `push`, for the trigger below. The caller accepts that the column exists.
ALTER TABLE notifications ADD COLUMN push TEXT
--;
-- In the transaction of the create: whoever got a 201 has the job.
CREATE TRIGGER IF NOT EXISTS notifications_pushed AFTER INSERT ON notifications
WHEN new.push IS NOT NULL BEGIN
    INSERT INTO push_job (user_id, seq, options, next_at_ms, created_at_ms)
    VALUES (new.user_id, new.seq, new.push,
        new.created_at_ms + 1000 * coalesce(json_extract(new.push, '$.afterSeconds'), 0),
        new.created_at_ms);
END
--;
-- A deleted entry, also one of an erased user, is not pushed.
CREATE TRIGGER IF NOT EXISTS push_job_deleted AFTER UPDATE OF deleted_at_ms ON notifications
WHEN new.push IS NOT NULL AND new.deleted_at_ms IS NOT NULL BEGIN
    DELETE FROM push_job WHERE user_id = new.user_id AND seq = new.seq;
    UPDATE notifications SET push = NULL WHERE id = new.id;
END
--;
CREATE TRIGGER IF NOT EXISTS push_job_pruned AFTER DELETE ON notifications
WHEN old.push IS NOT NULL BEGIN
    DELETE FROM push_job WHERE user_id = old.user_id AND seq = old.seq;
END
--;
-- Last: creates read it, and so fail until the triggers exist.
CREATE TABLE IF NOT EXISTS push_job_schema AS SELECT 1 AS version
