-- $1 created_at_ms below which idempotency keys have expired, $2 row limit
UPDATE bellwire.notifications SET idempotency = NULL, request_hash = NULL
WHERE id IN (
    SELECT id FROM bellwire.notifications
    WHERE idempotency IS NOT NULL AND created_at_ms < $1 LIMIT $2
)
RETURNING 1
