-- ?1 JSON array of digests of idempotency keys, ?2 created_at_ms up to which keys have expired
DELETE FROM erased_keys
WHERE digest IN (SELECT value FROM json_each(?1)) AND created_at_ms <= ?2
