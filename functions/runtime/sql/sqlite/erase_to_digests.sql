-- ?1 JSON array of [id, digest of the key, digest of key and request]
-- The trigger deletes the entries in the same transaction.
INSERT OR REPLACE INTO erased_keys (digest, request_digest, id, seq, created_at_ms, muted)
SELECT json_extract(kept.value, '$[1]'), json_extract(kept.value, '$[2]'), entry.id, entry.seq,
    entry.created_at_ms, entry.muted
FROM json_each(?1) AS kept
JOIN notifications AS entry ON entry.id = json_extract(kept.value, '$[0]')
WHERE entry.deleted_at_ms IS NOT NULL AND entry.idempotency IS NOT NULL
