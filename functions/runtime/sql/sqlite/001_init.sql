-- Stored in the database file. With WAL, writers do not wait for readers.
PRAGMA journal_mode = WAL
--;
-- One row per user: the counter and the outbox (pending means sent_seq < seq). It outlives the
-- entries: a counter that restarted in the same epoch would be mistaken for an old one.
CREATE TABLE IF NOT EXISTS feed (
    user_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    sent_seq INTEGER NOT NULL DEFAULT 0,
    -- Grows with every mark, delete and erase: shows which of two reads is later.
    rev INTEGER NOT NULL DEFAULT 0,
    -- Incremented by an erase; a trigger of 003_erased_keys.sql empties the entries.
    erasures INTEGER NOT NULL DEFAULT 0,
    updated_at_ms INTEGER NOT NULL
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS feed_pending ON feed (user_id) WHERE sent_seq < seq
--;
CREATE INDEX IF NOT EXISTS feed_updated ON feed (updated_at_ms)
--;
CREATE TABLE IF NOT EXISTS notifications (
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT,
    kind TEXT,
    -- JSON text as it was sent; never parsed.
    data TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    read_at_ms INTEGER,
    -- A deleted entry keeps its row, without content, while its idempotency key is valid.
    deleted_at_ms INTEGER,
    idempotency TEXT,
    request_hash TEXT,
    UNIQUE (user_id, seq)
)
--;
CREATE UNIQUE INDEX IF NOT EXISTS notifications_idempotency ON notifications (idempotency)
WHERE idempotency IS NOT NULL
--;
CREATE INDEX IF NOT EXISTS notifications_keys ON notifications (created_at_ms)
WHERE idempotency IS NOT NULL
--;
CREATE INDEX IF NOT EXISTS notifications_deleted ON notifications (created_at_ms)
WHERE deleted_at_ms IS NOT NULL
--;
CREATE INDEX IF NOT EXISTS notifications_created ON notifications (created_at_ms)
--;
CREATE INDEX IF NOT EXISTS notifications_expiring ON notifications (expires_at_ms)
WHERE expires_at_ms IS NOT NULL
--;
-- The counter moves in the transaction of the insert: seq orders a user's entries by commit.
CREATE TRIGGER IF NOT EXISTS notifications_counted AFTER INSERT ON notifications BEGIN
    INSERT INTO feed (user_id, seq, updated_at_ms) VALUES (new.user_id, new.seq, new.created_at_ms)
    ON CONFLICT (user_id) DO UPDATE
    SET seq = max(seq, excluded.seq), updated_at_ms = excluded.updated_at_ms;
END
--;
CREATE TRIGGER IF NOT EXISTS notifications_revised
AFTER UPDATE OF read_at_ms, deleted_at_ms ON notifications BEGIN
    UPDATE feed SET rev = rev + 1 WHERE user_id = new.user_id;
END
--;
-- ?1 epoch
-- Last, and created with its row: every statement that commits or counts reads this table. Until
-- the migration is complete they fail, and the caller migrates first.
-- The epoch is random: a seq means something only together with its epoch.
CREATE TABLE IF NOT EXISTS record AS
SELECT CAST(?1 AS TEXT) AS epoch, 1 AS schema_version, '' AS redis_run_id
