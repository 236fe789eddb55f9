-- Up to 10 devices per user, which pushes are sent to. The device `default`, of kind fcm, is the
-- user's row of push_token. An address has one owner in both tables.
-- Where a device reads texts, and when.
ALTER TABLE push_token ADD COLUMN locale TEXT
--;
ALTER TABLE push_token ADD COLUMN time_zone TEXT
--;
CREATE TABLE IF NOT EXISTS device (
    user_id TEXT NOT NULL,
    device TEXT NOT NULL,
    -- fcm, webpush or apns.
    kind TEXT NOT NULL,
    -- JSON: {"token"}, {"endpoint","p256dh","auth"} or {"token","topic","environment"}.
    address TEXT NOT NULL,
    -- SHA-256 of what identifies the address; for fcm that of the token, as in push_token.
    digest TEXT NOT NULL UNIQUE,
    -- Grows with every change and is at least its Unix time in ms, so that it also exceeds those of
    -- an earlier device of this name.
    rev INTEGER NOT NULL,
    locale TEXT,
    time_zone TEXT,
    -- Time of the last PUT.
    seen_at_ms INTEGER NOT NULL,
    PRIMARY KEY (user_id, device)
) WITHOUT ROWID
--;
-- What a user wants to receive, as JSON.
CREATE TABLE IF NOT EXISTS preference (
    user_id TEXT PRIMARY KEY,
    json TEXT NOT NULL,
    rev INTEGER NOT NULL
) WITHOUT ROWID
--;
-- An address moves to its newest owner. A push token leaves its trace in `lost`, because Redis may
-- have it.
CREATE TRIGGER IF NOT EXISTS device_moved BEFORE INSERT ON device BEGIN
    DELETE FROM device
    WHERE digest = new.digest AND NOT (user_id = new.user_id AND device = new.device);
    UPDATE push_token
    SET token = NULL, digest = NULL, rev = max(rev + 1, new.rev), lost = digest,
        lost_at = 1 + coalesce((
            SELECT max(lost_at) FROM push_token AS earlier WHERE earlier.lost = new.digest
        ), 0)
    WHERE digest = new.digest;
END
--;
CREATE TRIGGER IF NOT EXISTS push_token_takes BEFORE INSERT ON push_token
WHEN new.digest IS NOT NULL BEGIN
    DELETE FROM device WHERE digest = new.digest;
END
--;
CREATE TRIGGER IF NOT EXISTS push_token_gone AFTER UPDATE OF digest ON push_token
WHEN new.digest IS NULL AND coalesce(new.locale, new.time_zone) IS NOT NULL BEGIN
    UPDATE push_token SET locale = NULL, time_zone = NULL WHERE user_id = new.user_id;
END
--;
-- Last: statements that write addresses read it, and so fail until the triggers exist.
CREATE TABLE IF NOT EXISTS device_schema AS SELECT 1 AS version
