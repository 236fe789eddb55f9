-- ?1 time before which devices were last seen, ms, ?2 row limit
DELETE FROM device WHERE (user_id, device) IN (
    SELECT user_id, device FROM device WHERE seen_at_ms < ?1 LIMIT ?2
)
RETURNING 1
