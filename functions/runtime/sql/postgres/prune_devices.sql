-- $1 time before which devices were last seen, ms, $2 row limit
-- Checked again once the row is locked: it may have been seen by then.
DELETE FROM bellwire.device WHERE seen_at_ms < $1 AND (user_id, device) IN (
    SELECT user_id, device FROM bellwire.device WHERE seen_at_ms < $1 LIMIT $2
)
RETURNING 1
