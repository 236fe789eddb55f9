-- ?1 JSON array of idempotency keys, ?2 created_at_ms up to which keys have expired
UPDATE notifications SET idempotency = NULL, request_hash = NULL
WHERE idempotency IN (SELECT value FROM json_each(?1)) AND created_at_ms <= ?2
