-- One block is one transaction; the lock serializes hosts that start at the same time.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
-- Checked first: CREATE INDEX locks its table even if the index exists, and in another order than
-- creates, which may be running once the tables exist.
IF to_regclass('bellwire.record') IS NOT NULL THEN
    IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 1) THEN RETURN; END IF;
END IF;
-- Our own schema: a team's database may well have a table called notifications.
CREATE SCHEMA IF NOT EXISTS bellwire;
CREATE TABLE IF NOT EXISTS bellwire.record (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Random at creation: a seq means something only together with its epoch.
    epoch TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    redis_run_id TEXT NOT NULL DEFAULT ''
);
-- One row per user: the counter and the outbox (pending means sent_seq < seq). It outlives the
-- entries: a counter that restarted in the same epoch would be mistaken for an old one.
CREATE TABLE IF NOT EXISTS bellwire.feed (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    seq BIGINT NOT NULL,
    sent_seq BIGINT NOT NULL DEFAULT 0,
    -- Grows with every mark, delete and erase: shows which of two reads is later.
    rev BIGINT NOT NULL DEFAULT 0,
    updated_at_ms BIGINT NOT NULL
);
CREATE INDEX IF NOT EXISTS feed_pending ON bellwire.feed (user_id) WHERE sent_seq < seq;
CREATE INDEX IF NOT EXISTS feed_updated ON bellwire.feed (updated_at_ms);
CREATE TABLE IF NOT EXISTS bellwire.notifications (
    id TEXT NOT NULL UNIQUE,
    user_id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    title TEXT NOT NULL,
    body TEXT,
    kind TEXT,
    -- JSON text as it was sent: JSONB would reorder its members.
    data TEXT,
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT,
    read_at_ms BIGINT,
    -- A deleted entry keeps its row, without content, while its idempotency key is valid.
    deleted_at_ms BIGINT,
    idempotency TEXT,
    request_hash TEXT,
    PRIMARY KEY (user_id, seq)
);
CREATE UNIQUE INDEX IF NOT EXISTS notifications_idempotency
    ON bellwire.notifications (idempotency) WHERE idempotency IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_keys
    ON bellwire.notifications (created_at_ms) WHERE idempotency IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_deleted
    ON bellwire.notifications (created_at_ms) WHERE deleted_at_ms IS NOT NULL;
CREATE INDEX IF NOT EXISTS notifications_created ON bellwire.notifications (created_at_ms);
CREATE INDEX IF NOT EXISTS notifications_expiring
    ON bellwire.notifications (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
INSERT INTO bellwire.record (one, epoch, schema_version)
    VALUES (1, gen_random_uuid()::text, 1) ON CONFLICT (one) DO NOTHING;
END $migration$
