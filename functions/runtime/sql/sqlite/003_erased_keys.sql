-- The rest of an erased user's entries while their idempotency keys are valid: without user and
-- content, and with the key as a digest. So a repeated create gets its first answer instead of a
-- new entry.
CREATE TABLE IF NOT EXISTS erased_keys (
    -- SHA-256 of the key.
    digest TEXT PRIMARY KEY,
    -- SHA-256 of key and request hash: without the key, the content cannot be guessed.
    request_digest TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS erased_keys_created ON erased_keys (created_at_ms)
--;
-- In the same transaction: the key is known at all times.
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
-- The trigger of the first version, which deleted the rows with their keys.
DROP TRIGGER IF EXISTS feed_erased
--;
-- Last: an erase reads it, and so fails until the triggers are up to date.
CREATE TABLE IF NOT EXISTS erased_keys_schema AS SELECT 1 AS version
