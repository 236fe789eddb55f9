-- $1 user
-- Empties the entries; none is left to deliver or to push.
WITH owner AS (
    UPDATE bellwire.feed SET rev = rev + 1, sent_seq = seq WHERE user_id = $1 RETURNING user_id
), unpushed AS (
    DELETE FROM bellwire.push_job USING owner WHERE push_job.user_id = owner.user_id
)
UPDATE bellwire.notifications
SET deleted_at_ms = coalesce(deleted_at_ms, created_at_ms), title = '', body = NULL, kind = NULL,
    data = NULL, expires_at_ms = NULL, read_at_ms = NULL, push = NULL
FROM owner WHERE notifications.user_id = owner.user_id
