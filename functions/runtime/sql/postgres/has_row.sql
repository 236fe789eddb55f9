-- $1 user, $2 id
-- Deleted entries included.
SELECT seq FROM bellwire.notifications WHERE user_id = $1 AND id = $2
