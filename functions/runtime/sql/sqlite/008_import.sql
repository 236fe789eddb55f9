-- Imported entries: `muted` is 2. They are in the feed without being delivered live.
-- Their idempotency keys lie in a table of their own: those of creates expire by the time of the
-- entry's creation, which is long ago here.
CREATE TABLE IF NOT EXISTS import_key (
    -- SHA-256 of the key.
    digest TEXT PRIMARY KEY,
    -- SHA-256 of key and request hash.
    request_digest TEXT NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    imported_at_ms INTEGER NOT NULL
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS import_key_imported ON import_key (imported_at_ms)
--;
-- One insert into this view is the whole import, in one transaction.
CREATE VIEW IF NOT EXISTS imported AS
SELECT user_id, seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms,
    NULL AS key_digest, NULL AS request_digest, 0 AS imported_at_ms
FROM notifications WHERE muted = 2
--;
CREATE TRIGGER IF NOT EXISTS imported_added INSTEAD OF INSERT ON imported BEGIN
    INSERT INTO notifications (user_id, seq, id, title, body, kind, data, created_at_ms,
        expires_at_ms, read_at_ms, muted)
    VALUES (new.user_id, new.seq, new.id, new.title, new.body, new.kind, new.data,
        new.created_at_ms, new.expires_at_ms, new.read_at_ms, 2);
    -- The trigger of the entry has noted the time of its creation.
    UPDATE feed SET updated_at_ms = new.imported_at_ms WHERE user_id = new.user_id;
    INSERT INTO import_key (digest, request_digest, id, seq, imported_at_ms)
    SELECT new.key_digest, new.request_digest, new.id, new.seq, new.imported_at_ms
    WHERE new.key_digest IS NOT NULL;
END
