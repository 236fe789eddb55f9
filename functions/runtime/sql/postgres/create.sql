-- $1 user, $2 id, $3 title, $4 body, $5 kind, $6 data, $7 created_at_ms, $8 expires_at_ms,
-- $9 idempotency, $10 request hash, $11 digest of the key, $12 push, JSON or null. Returns no row
-- if the key is known.
SELECT entry_id, entry_seq, record_epoch, entry_muted
FROM bellwire.create_8($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
