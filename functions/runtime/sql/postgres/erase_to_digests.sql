-- $1 JSON array of [id, digest of the key, digest of key and request]
WITH kept AS (
    SELECT item->>0 AS id, item->>1 AS digest, item->>2 AS request_digest
    FROM json_array_elements($1::text::json) AS items (item)
), moved AS (
    DELETE FROM bellwire.notifications AS entry USING kept
    WHERE entry.id = kept.id AND entry.deleted_at_ms IS NOT NULL AND entry.idempotency IS NOT NULL
    RETURNING kept.digest, kept.request_digest, entry.id, entry.seq, entry.created_at_ms,
        entry.muted
)
INSERT INTO bellwire.erased_keys (digest, request_digest, id, seq, created_at_ms, muted)
SELECT digest, request_digest, id, seq, created_at_ms, muted FROM moved ORDER BY digest
ON CONFLICT (digest) DO NOTHING
