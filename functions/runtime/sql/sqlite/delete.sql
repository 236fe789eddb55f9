-- ?1 user, ?2 id, ?3 now_ms
UPDATE notifications
SET deleted_at_ms = ?3, title = '', body = NULL, kind = NULL, data = NULL
WHERE user_id = ?1 AND id = ?2 AND deleted_at_ms IS NULL
RETURNING seq
