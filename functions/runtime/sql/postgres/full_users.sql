-- $1 JSON array of users, $2 maximum number of devices
-- Those that have the maximum without a push token.
SELECT user_id FROM bellwire.device
WHERE user_id IN (SELECT json_array_elements_text($1::text::json))
GROUP BY user_id HAVING count(*) >= $2 ORDER BY user_id
