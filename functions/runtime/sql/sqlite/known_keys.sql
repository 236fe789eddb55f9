-- ?1 JSON array of idempotency keys, ?2 of their digests
-- The last column but one: 0 the entry exists, 1 it was deleted, 2 its user was erased. With 2, the
-- key and the request hash are digests.
SELECT (SELECT epoch FROM record), idempotency, request_hash, id, seq, created_at_ms,
    deleted_at_ms IS NOT NULL, muted
FROM notifications WHERE idempotency IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT (SELECT epoch FROM record), digest, request_digest, id, seq, created_at_ms, 2, muted
FROM erased_keys WHERE digest IN (SELECT value FROM json_each(?2))
