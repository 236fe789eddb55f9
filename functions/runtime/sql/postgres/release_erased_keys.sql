-- $1 JSON array of digests of idempotency keys, $2 created_at_ms up to which keys have expired
DELETE FROM bellwire.erased_keys
WHERE digest IN (SELECT json_array_elements_text($1::text::json)) AND created_at_ms <= $2
