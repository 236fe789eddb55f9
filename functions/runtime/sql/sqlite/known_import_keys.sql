-- ?1 JSON array of digests of keys
-- The columns of known_keys.sql.
SELECT (SELECT epoch FROM record), digest, request_digest, id, seq, imported_at_ms, 2, 2
FROM import_key WHERE digest IN (SELECT value FROM json_each(?1))
