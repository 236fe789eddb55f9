-- $1 user
SELECT rev, token FROM bellwire.push_token WHERE user_id = $1
