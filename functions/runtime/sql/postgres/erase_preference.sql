-- $1 user
DELETE FROM bellwire.preference WHERE user_id = $1
