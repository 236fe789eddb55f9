-- ?1 user, ?2 JSON array of ids, ?3 now_ms
UPDATE notifications SET read_at_ms = ?3
WHERE user_id = ?1 AND id IN (SELECT value FROM json_each(?2))
    AND read_at_ms IS NULL AND deleted_at_ms IS NULL
