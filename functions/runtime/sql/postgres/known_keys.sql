-- $1 JSON array of idempotency keys, $2 of their digests
-- The last column but one: 0 the entry exists, 1 it was deleted, 2 its user was erased. With 2, the
-- key and the request hash are digests.
SELECT (SELECT epoch FROM bellwire.record), idempotency, request_hash, id, seq, created_at_ms,
    CASE WHEN deleted_at_ms IS NULL THEN 0 ELSE 1 END, muted
FROM bellwire.notifications
WHERE idempotency IN (SELECT json_array_elements_text($1::text::json))
UNION ALL
SELECT (SELECT epoch FROM bellwire.record), digest, request_digest, id, seq, created_at_ms, 2, muted
FROM bellwire.erased_keys
WHERE digest IN (SELECT json_array_elements_text($2::text::json))
