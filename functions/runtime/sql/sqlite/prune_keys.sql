-- ?1 created_at_ms below which idempotency keys have expired, ?2 row limit
UPDATE notifications SET idempotency = NULL, request_hash = NULL
WHERE rowid IN (
    SELECT rowid FROM notifications WHERE idempotency IS NOT NULL AND created_at_ms < ?1 LIMIT ?2
)
RETURNING 1
