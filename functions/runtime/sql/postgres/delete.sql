-- $1 user, $2 id, $3 now_ms
WITH owner AS (
    SELECT user_id FROM bellwire.feed WHERE user_id = $1 FOR UPDATE
), deleted AS (
    UPDATE bellwire.notifications
    SET deleted_at_ms = $3, title = '', body = NULL, kind = NULL, data = NULL, push = NULL
    FROM owner
    WHERE notifications.user_id = owner.user_id AND id = $2 AND deleted_at_ms IS NULL
    RETURNING seq
), unpushed AS (
    DELETE FROM bellwire.push_job USING deleted
    WHERE push_job.user_id = $1 AND push_job.seq = deleted.seq
)
UPDATE bellwire.feed SET rev = rev + 1 WHERE user_id = $1 AND EXISTS (SELECT 1 FROM deleted)
RETURNING (SELECT deleted.seq FROM deleted)
