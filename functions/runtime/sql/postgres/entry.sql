-- $1 user, $2 id
SELECT seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms, muted
FROM bellwire.notifications WHERE user_id = $1 AND id = $2 AND deleted_at_ms IS NULL
