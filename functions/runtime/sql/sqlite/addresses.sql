-- ?1 JSON array of users
-- One row per user, in order: user, devices as a JSON array of [device, kind, rev, address, locale,
-- time zone], preferences as JSON.
SELECT wanted.value, (
    SELECT json_group_array(json_array(device, kind, rev, json(address), locale, time_zone)) FROM (
        SELECT 'default' AS device, 'fcm' AS kind, rev, json_object('token', token) AS address,
            locale, time_zone
        FROM push_token WHERE user_id = wanted.value AND token IS NOT NULL
        UNION ALL
        SELECT device, kind, rev, address, locale, time_zone
        FROM device WHERE user_id = wanted.value
    )
), (SELECT json FROM preference WHERE user_id = wanted.value)
FROM json_each(?1) AS wanted ORDER BY wanted.key
