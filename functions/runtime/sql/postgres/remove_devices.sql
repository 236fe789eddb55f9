-- $1 JSON array of [user, device, rev]
-- Rows are locked in one order, as everywhere.
WITH dead AS (
    SELECT device.user_id, device.device FROM bellwire.device
    JOIN json_array_elements($1::text::json) AS item
        ON device.user_id = item->>0 AND device.device = item->>1
            AND device.rev = (item->>2)::bigint
    ORDER BY device.user_id, device.device FOR UPDATE OF device
)
DELETE FROM bellwire.device USING dead
WHERE device.user_id = dead.user_id AND device.device = dead.device
RETURNING 1
