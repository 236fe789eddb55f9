-- $1 user, $2 created_at_ms below which idempotency keys have expired
DELETE FROM bellwire.notifications
WHERE user_id = $1 AND deleted_at_ms IS NOT NULL AND (idempotency IS NULL OR created_at_ms < $2)
