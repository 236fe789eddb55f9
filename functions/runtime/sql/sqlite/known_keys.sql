-- ?1 JSON array of idempotency keys
SELECT (SELECT epoch FROM record), idempotency, request_hash, id, seq, created_at_ms,
    deleted_at_ms IS NOT NULL
FROM notifications WHERE idempotency IN (SELECT value FROM json_each(?1))
