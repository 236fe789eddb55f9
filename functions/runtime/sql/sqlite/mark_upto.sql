-- ?1 user, ?2 seq, ?3 now_ms
UPDATE notifications SET read_at_ms = ?3
WHERE user_id = ?1 AND seq <= ?2 AND read_at_ms IS NULL AND deleted_at_ms IS NULL
