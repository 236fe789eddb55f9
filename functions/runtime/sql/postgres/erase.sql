-- $1 user
-- Empties the entries; none is left to deliver.
WITH owner AS (
    UPDATE bellwire.feed SET rev = rev + 1, sent_seq = seq WHERE user_id = $1 RETURNING user_id
)
UPDATE bellwire.notifications
SET deleted_at_ms = coalesce(deleted_at_ms, created_at_ms), title = '', body = NULL, kind = NULL,
    data = NULL, expires_at_ms = NULL, read_at_ms = NULL
FROM owner WHERE notifications.user_id = owner.user_id
