-- $1 user
SELECT json FROM bellwire.preference WHERE user_id = $1
