-- ?1 user, ?2 created_at_ms below which idempotency keys have expired, ?3 row limit
-- Valid keys of deleted entries.
SELECT id, idempotency, request_hash FROM notifications
WHERE user_id = ?1 AND deleted_at_ms IS NOT NULL AND idempotency IS NOT NULL
    AND created_at_ms >= ?2
LIMIT ?3
