-- $1 JSON array of digests of keys
-- The columns of known_keys.sql.
SELECT (SELECT epoch FROM bellwire.record), digest, request_digest, id, seq, imported_at_ms, 2, 2
FROM bellwire.import_key WHERE digest IN (SELECT json_array_elements_text($1::text::json))
