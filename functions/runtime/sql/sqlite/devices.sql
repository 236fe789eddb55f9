-- ?1 user
-- The push token's revision is at least the Unix time of its last change in ms.
SELECT 'default' AS device, 'fcm' AS kind, locale, time_zone, rev AS seen_at_ms
FROM push_token WHERE user_id = ?1 AND token IS NOT NULL
UNION ALL
SELECT device, kind, locale, time_zone, seen_at_ms FROM device WHERE user_id = ?1
ORDER BY device
