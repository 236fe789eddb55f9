-- $1 user, $2 seq
SELECT 1 FROM bellwire.notifications WHERE user_id = $1 AND seq = $2 AND deleted_at_ms IS NULL
