-- ?1 user, ?2 device, ?3 kind, ?4 address, ?5 digest, ?6 locale, ?7 time zone, ?8 now_ms,
-- ?9 maximum number of devices
-- The trigger removes the address from its previous owner. Returns the revision, and the users that
-- lost it as a push token, as a JSON array of [user, rev]: the last 8, as in put_tokens.sql. No row
-- if the user has the maximum of other devices.
INSERT INTO device (user_id, device, kind, address, digest, rev, locale, time_zone, seen_at_ms)
SELECT ?1, ?2, ?3, ?4, ?5, ?8, ?6, ?7, ?8 FROM device_schema
WHERE ?9 > (SELECT count(*) FROM device WHERE user_id = ?1 AND device <> ?2 AND digest <> ?5)
    + (SELECT count(*) FROM push_token WHERE user_id = ?1 AND digest <> ?5)
ON CONFLICT (user_id, device) DO UPDATE
SET kind = excluded.kind, address = excluded.address, digest = excluded.digest,
    rev = max(rev + 1, excluded.rev), locale = excluded.locale, time_zone = excluded.time_zone,
    seen_at_ms = excluded.seen_at_ms
RETURNING rev, (
    SELECT json_group_array(json_array(user_id, rev)) FROM (
        SELECT loser.user_id, loser.rev FROM push_token AS loser
        WHERE loser.lost = device.digest AND loser.digest IS NULL
        ORDER BY loser.lost_at DESC LIMIT 8
    )
)
