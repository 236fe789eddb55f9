-- ?1 JSON array of [user, digest], ?2 now_ms
-- Returns user and revision for each token that was current.
UPDATE push_token SET token = NULL, digest = NULL, lost = NULL, rev = max(rev + 1, ?2)
FROM (
    SELECT json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS digest
    FROM json_each(?1)
) AS dead
WHERE push_token.user_id = dead.user_id AND push_token.digest = dead.digest
RETURNING user_id, rev
