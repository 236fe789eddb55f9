-- ?1 JSON array of users, ?2 maximum number of devices
-- Those that have the maximum without a push token.
SELECT user_id FROM device WHERE user_id IN (SELECT value FROM json_each(?1))
GROUP BY user_id HAVING count(*) >= ?2 ORDER BY user_id
