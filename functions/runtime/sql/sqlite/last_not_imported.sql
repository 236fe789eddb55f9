-- ?1 user, ?2 seq
-- Deleted entries are as they were created.
SELECT coalesce((
    SELECT seq FROM notifications WHERE user_id = ?1 AND seq <= ?2 AND muted <> 2
    ORDER BY seq DESC LIMIT 1
), 0)
