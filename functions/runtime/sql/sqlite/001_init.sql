-- The journal mode lies in the file: with WAL a writer does not wait for readers.
PRAGMA journal_mode = WAL
--;
CREATE TABLE IF NOT EXISTS record (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Random at creation: a seq means something only together with the epoch it was counted in.
    epoch TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    redis_run_id TEXT NOT NULL DEFAULT ''
)
--;
-- One row per user: the counter, and the outbox (pending means sent_seq < seq).
CREATE TABLE IF NOT EXISTS feed (
    user_id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,
    sent_seq INTEGER NOT NULL DEFAULT 0,
    read_upto INTEGER NOT NULL DEFAULT 0,
    rev INTEGER NOT NULL DEFAULT 0,
    updated_at_ms INTEGER NOT NULL
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS feed_pending ON feed (user_id) WHERE sent_seq < seq
--;
CREATE INDEX IF NOT EXISTS feed_updated ON feed (updated_at_ms)
--;
CREATE TABLE IF NOT EXISTS notifications (
    user_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    body TEXT,
    kind TEXT,
    -- JSON text as it was sent, never parsed.
    data TEXT,
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER,
    PRIMARY KEY (user_id, seq)
) WITHOUT ROWID
--;
-- The counter moves with the insert, in the same transaction: seq orders a user's entries by commit.
CREATE TRIGGER IF NOT EXISTS notifications_counted AFTER INSERT ON notifications BEGIN
    INSERT INTO feed (user_id, seq, updated_at_ms) VALUES (new.user_id, new.seq, new.created_at_ms)
    ON CONFLICT (user_id) DO UPDATE SET seq = excluded.seq, updated_at_ms = excluded.updated_at_ms;
END
--;
-- ?1 epoch
INSERT INTO record (one, epoch, schema_version) VALUES (1, ?1, 1) ON CONFLICT (one) DO NOTHING
