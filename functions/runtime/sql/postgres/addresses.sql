-- $1 JSON array of users
-- One row per user, in order: user, devices as a JSON array of [device, kind, rev, address, locale,
-- time zone], preferences as JSON.
SELECT wanted.user_id, (
    SELECT coalesce(json_agg(json_build_array(device, kind, rev, address, locale, time_zone)
        ORDER BY device <> 'default', device)::text, '[]')
    FROM (
        SELECT 'default' COLLATE "C" AS device, 'fcm' AS kind, rev,
            json_build_object('token', token) AS address, locale, time_zone
        FROM bellwire.push_token WHERE user_id = wanted.user_id AND token IS NOT NULL
        UNION ALL
        SELECT device, kind, rev, address::json, locale, time_zone
        FROM bellwire.device WHERE user_id = wanted.user_id
    ) AS own
), (SELECT json FROM bellwire.preference WHERE user_id = wanted.user_id)
FROM json_array_elements_text($1::text::json) WITH ORDINALITY AS wanted (user_id, place)
ORDER BY wanted.place
