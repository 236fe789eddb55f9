-- ?1 JSON array of [user, token, digest], null for no token, ?2 now_ms
-- Each user and each token appears once. The trigger removes tokens from previous owners. Returns
-- user, revision, and the users that lost the token as a JSON array of [user, rev]: the last 8,
-- since a repeat comes sooner than 8 other changes.
INSERT INTO push_token (user_id, token, digest, rev)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), ?2
FROM json_each(?1), push_token_schema WHERE true
ON CONFLICT (user_id) DO UPDATE
SET token = excluded.token, digest = excluded.digest, rev = max(rev + 1, excluded.rev),
    lost = nullif(lost, excluded.digest)
RETURNING user_id, rev, (
    SELECT json_group_array(json_array(user_id, rev)) FROM (
        SELECT loser.user_id, loser.rev FROM push_token AS loser
        WHERE loser.lost = push_token.digest AND loser.digest IS NULL
        ORDER BY loser.lost_at DESC LIMIT 8
    )
)
