-- $1 user, $2 seq, $3 now_ms
-- The counter's row is locked first, as everywhere, to prevent deadlocks.
WITH owner AS (
    SELECT user_id FROM bellwire.feed WHERE user_id = $1 FOR UPDATE
), marked AS (
    UPDATE bellwire.notifications SET read_at_ms = $3 FROM owner
    WHERE notifications.user_id = owner.user_id AND seq <= $2
        AND read_at_ms IS NULL AND deleted_at_ms IS NULL
    RETURNING 1
)
UPDATE bellwire.feed SET rev = rev + 1 WHERE user_id = $1 AND EXISTS (SELECT 1 FROM marked)
