-- The journal mode lies in the file: with WAL a writer does not wait for readers.
PRAGMA journal_mode = WAL
--;
-- One row per user: the counter, and the outbox (pending means sent_seq < seq). It outlives its
-- entries: a counter that began again under the same epoch would be taken for an old one.
CREATE TABLE IF NOT EXISTS feed (
    user_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    sent_seq INTEGER NOT NULL DEFAULT 0,
    -- Grows with every mark, delete and erase: tells which of two readings is the later one.
    rev INTEGER NOT NULL DEFAULT 0,
    -- Counted up by an erase, which a trigger of 003_erased_keys.sql then carries out.
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
    -- JSON text as it was sent, never parsed.
    data TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    read_at_ms INTEGER,
    -- A deleted entry keeps its row, without content, for as long as its idempotency key holds.
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
-- The counter moves with the insert, in the same transaction: seq orders a user's entries by commit.
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
-- Last, and with its row in the same statement: what commits or counts reads this table, so until
-- everything else is there it fails for want of it, and whoever runs it migrates first.
-- The epoch is random at creation: a seq means something only together with the epoch it was
-- counted in.
CREATE TABLE IF NOT EXISTS record AS
SELECT CAST(?1 AS TEXT) AS epoch, 1 AS schema_version, '' AS redis_run_id
