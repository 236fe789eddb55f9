-- $1 user, $2 before, $3 limit, $4 now_ms, $5 1 for unread entries only
SELECT seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms, muted
FROM bellwire.notifications
WHERE user_id = $1 AND seq < $2 AND deleted_at_ms IS NULL
    AND (expires_at_ms IS NULL OR expires_at_ms > $4)
    AND ($5::BIGINT = 0 OR read_at_ms IS NULL)
ORDER BY seq DESC LIMIT $3
