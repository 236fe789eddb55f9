-- $1 JSON array of idempotency keys, $2 created_at_ms up to which keys have expired
UPDATE bellwire.notifications SET idempotency = NULL, request_hash = NULL
WHERE idempotency IN (SELECT json_array_elements_text($1::text::json)) AND created_at_ms <= $2
