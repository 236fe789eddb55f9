-- $1 JSON array of idempotency keys
SELECT (SELECT epoch FROM bellwire.record), idempotency, request_hash, id, seq, created_at_ms,
    CASE WHEN deleted_at_ms IS NULL THEN 0 ELSE 1 END
FROM bellwire.notifications
WHERE idempotency IN (SELECT json_array_elements_text($1::text::json))
