-- ?1 user, ?2 id
-- Deleted entries included.
SELECT seq FROM notifications WHERE user_id = ?1 AND id = ?2
