-- $1 JSON array of [user, id, title, body, kind, data, created_at_ms, expires_at_ms, idempotency,
--    request_hash, digest of the key, push], the columns of create.sql. Returns no rows for known or
--    repeated keys.
SELECT entry_id, entry_seq, record_epoch, entry_muted FROM bellwire.create_many_9($1)
