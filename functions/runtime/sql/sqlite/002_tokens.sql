-- One row per user who has or had a push token. A row without token keeps its revision: a write to
-- Redis that is still in flight must not look newer than a later one.
CREATE TABLE IF NOT EXISTS push_token (
    user_id TEXT PRIMARY KEY,
    token TEXT,
    -- SHA-256 of the token; a token has one owner.
    digest TEXT UNIQUE,
    -- Grows with every change and is at least its Unix time in ms, so that it also exceeds all
    -- revisions from before the record was restored from a copy or the row was pruned.
    rev INTEGER NOT NULL,
    -- Digest of the token that another user took over: a repeat of that call finds this row, whose
    -- token Redis may still have.
    lost TEXT,
    -- Position among the token's former owners: 1, 2, 3…
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
-- Last: statements that write tokens read it, and so fail until the trigger exists.
CREATE TABLE IF NOT EXISTS push_token_schema AS SELECT 1 AS version
