-- ?1 JSON array of [user, token, digest], null for no token, ?2 now_ms,
-- ?3 maximum number of devices
-- Each user and each token appears once. Triggers remove tokens from previous owners. Returns user,
-- revision, and the users that lost the token as a JSON array of [user, rev]: the last 8, since a
-- repeat comes sooner than 8 other changes. No row at all if one of the users would have too many
-- devices.
INSERT INTO push_token (user_id, token, digest, rev)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'), ?2
FROM json_each(?1), push_token_schema, device_schema
WHERE NOT EXISTS (
    SELECT 1 FROM json_each(?1) AS item
    WHERE json_extract(item.value, '$[2]') IS NOT NULL AND ?3 <= (
        SELECT count(*) FROM device
        WHERE device.user_id = json_extract(item.value, '$[0]') AND device.digest NOT IN (
            SELECT json_extract(moved.value, '$[2]') FROM json_each(?1) AS moved
            WHERE json_extract(moved.value, '$[2]') IS NOT NULL
        )
    )
)
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
