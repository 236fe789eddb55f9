-- ?1 user, ?2 id
-- Also a deleted one.
SELECT seq FROM notifications WHERE user_id = ?1 AND id = ?2
