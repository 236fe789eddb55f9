-- $1 user, $2 after, $3 limit
SELECT seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms
FROM bellwire.notifications
WHERE user_id = $1 AND seq > $2 AND deleted_at_ms IS NULL ORDER BY seq LIMIT $3
