-- ?1 JSON array of users
-- Users that had a token and have none now.
SELECT user_id, rev FROM push_token
WHERE digest IS NULL AND user_id IN (SELECT value FROM json_each(?1))
