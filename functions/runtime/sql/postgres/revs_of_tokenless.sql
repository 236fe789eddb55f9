-- $1 JSON array of users
-- Of those who had a token and have none.
SELECT user_id, rev FROM bellwire.push_token
WHERE digest IS NULL AND user_id IN (SELECT json_array_elements_text($1::text::json))
