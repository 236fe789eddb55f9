-- ?1 JSON array of [user, device, rev]
DELETE FROM device WHERE (user_id, device, rev) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(?1)
)
RETURNING 1
