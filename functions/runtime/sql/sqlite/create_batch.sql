-- ?1 JSON array of [user, id, title, body, kind, data, created_at_ms, expires_at_ms, idempotency,
--    request_hash, digest of the key, push], the columns of create.sql
-- Entries with known keys are dropped before numbering: they would take seqs. Returns no rows for
-- known or repeated keys.
WITH input AS (
    SELECT key AS place, json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS id,
        json_extract(value, '$[2]') AS title, json_extract(value, '$[3]') AS body,
        json_extract(value, '$[4]') AS kind, json_extract(value, '$[5]') AS data,
        json_extract(value, '$[6]') AS created_at_ms, json_extract(value, '$[7]') AS expires_at_ms,
        json_extract(value, '$[8]') AS idempotency, json_extract(value, '$[9]') AS request_hash,
        json_extract(value, '$[10]') AS key_digest, json_extract(value, '$[11]') AS push
    FROM json_each(?1)
), fresh AS (
    SELECT input.*, row_number() OVER (PARTITION BY input.idempotency ORDER BY place) AS copy
    FROM input LEFT JOIN notifications AS known ON known.idempotency = input.idempotency
        LEFT JOIN erased_keys AS erased ON erased.digest = input.key_digest
    WHERE known.id IS NULL AND erased.id IS NULL
), numbered AS (
    SELECT fresh.*, row_number() OVER (PARTITION BY user_id ORDER BY place) AS step
    FROM fresh WHERE copy = 1 OR idempotency IS NULL
)
INSERT INTO notifications (user_id, seq, id, title, body, kind, data, created_at_ms, expires_at_ms,
    idempotency, request_hash, push, muted, read_at_ms)
SELECT numbered.user_id,
    coalesce((SELECT seq FROM feed WHERE feed.user_id = numbered.user_id), 0) + step,
    id, title, body, numbered.kind, data, created_at_ms, expires_at_ms, idempotency, request_hash,
    push, unwanted.kind IS NOT NULL, CASE WHEN unwanted.kind IS NOT NULL THEN created_at_ms END
FROM numbered, push_job_schema
LEFT JOIN muted_kind AS unwanted
    ON unwanted.user_id = numbered.user_id AND unwanted.kind = numbered.kind
WHERE true ORDER BY place
RETURNING id, seq, (SELECT epoch FROM record), muted
