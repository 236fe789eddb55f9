-- $1 user, $2 device
DELETE FROM bellwire.device WHERE user_id = $1 AND device = $2
