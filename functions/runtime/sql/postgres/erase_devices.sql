-- $1 user
DELETE FROM bellwire.device WHERE user_id = $1
