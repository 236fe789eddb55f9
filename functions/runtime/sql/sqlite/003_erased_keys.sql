-- What is left of an erased user's entries for as long as their idempotency keys hold: neither the
-- user nor the content, and the key only as a digest. Whoever repeats a create gets the answer again
-- instead of a new entry.
CREATE TABLE IF NOT EXISTS erased_keys (
    -- SHA-256 of the key.
    digest TEXT PRIMARY KEY,
    -- SHA-256 of the key and the request's hash: nobody without the key can guess the content.
    request_digest TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS erased_keys_created ON erased_keys (created_at_ms)
--;
-- In one transaction: the key is known all the while.
CREATE TRIGGER IF NOT EXISTS erased_keys_moved AFTER INSERT ON erased_keys BEGIN
    DELETE FROM notifications WHERE id = new.id;
END
--;
CREATE TRIGGER IF NOT EXISTS feed_emptied AFTER UPDATE OF erasures ON feed BEGIN
    UPDATE notifications
    SET deleted_at_ms = coalesce(deleted_at_ms, created_at_ms), title = '', body = NULL,
        kind = NULL, data = NULL, expires_at_ms = NULL, read_at_ms = NULL
    WHERE user_id = new.user_id;
END
--;
-- Of the first version; it deleted the rows, keys included.
DROP TRIGGER IF EXISTS feed_erased
--;
-- Last: an erase reads it, so until the triggers are as they must be it fails for want of it.
CREATE TABLE IF NOT EXISTS erased_keys_schema AS SELECT 1 AS version
