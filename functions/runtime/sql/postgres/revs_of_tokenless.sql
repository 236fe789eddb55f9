-- $1 JSON array of users
-- Users that had a token and have none now.
SELECT user_id, rev FROM bellwire.push_token
WHERE digest IS NULL AND user_id IN (SELECT json_array_elements_text($1::text::json))
