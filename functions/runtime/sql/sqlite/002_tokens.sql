-- One row per user who has or had a push token. A row without one keeps its revision: a write to
-- Redis that is still under way must not look newer than what comes after it.
CREATE TABLE IF NOT EXISTS push_token (
    user_id TEXT PRIMARY KEY,
    token TEXT,
    -- SHA-256 of the token; a token has one owner.
    digest TEXT UNIQUE,
    -- Grows with every change, and is not below the time of it (Unix, ms): so it is higher also
    -- than one that was counted before the record was restored from a copy, or the row pruned.
    rev INTEGER NOT NULL,
    -- The digest of the token that another user took over: whoever repeats that finds what Redis
    -- may still hold.
    lost TEXT,
    -- Which owner of that token it was: 1, 2, 3…
    lost_at INTEGER
) WITHOUT ROWID
--;
CREATE INDEX IF NOT EXISTS push_token_lost ON push_token (lost) WHERE lost IS NOT NULL
--;
CREATE INDEX IF NOT EXISTS push_token_gone ON push_token (rev) WHERE digest IS NULL
--;
CREATE TRIGGER IF NOT EXISTS push_token_moved BEFORE INSERT ON push_token
WHEN new.digest IS NOT NULL BEGIN
    UPDATE push_token
    SET token = NULL, digest = NULL, rev = max(rev + 1, new.rev), lost = digest,
        lost_at = 1 + coalesce((
            SELECT max(lost_at) FROM push_token AS earlier WHERE earlier.lost = new.digest
        ), 0)
    WHERE digest = new.digest AND user_id <> new.user_id;
END
--;
-- Last: what writes tokens reads it, so until the trigger is there it fails for want of it.
CREATE TABLE IF NOT EXISTS push_token_schema AS SELECT 1 AS version
