-- ?1 JSON array of [user, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms,
--    digest of the key, digest of key and request], ?2 now_ms
-- As create_batch.sql: entries with known keys are dropped before numbering. Returns no rows for known
-- or repeated keys.
WITH input AS (
    SELECT key AS place, json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS id,
        json_extract(value, '$[2]') AS title, json_extract(value, '$[3]') AS body,
        json_extract(value, '$[4]') AS kind, json_extract(value, '$[5]') AS data,
        json_extract(value, '$[6]') AS created_at_ms, json_extract(value, '$[7]') AS expires_at_ms,
        json_extract(value, '$[8]') AS read_at_ms, json_extract(value, '$[9]') AS key_digest,
        json_extract(value, '$[10]') AS request_digest
    FROM json_each(?1)
), fresh AS (
    SELECT input.*, row_number() OVER (PARTITION BY input.key_digest ORDER BY place) AS copy
    FROM input LEFT JOIN import_key AS known ON known.digest = input.key_digest
    WHERE known.id IS NULL
), numbered AS (
    SELECT fresh.*, row_number() OVER (PARTITION BY user_id ORDER BY place) AS step
    FROM fresh WHERE copy = 1 OR key_digest IS NULL
)
INSERT INTO imported (user_id, seq, id, title, body, kind, data, created_at_ms, expires_at_ms,
    read_at_ms, key_digest, request_digest, imported_at_ms)
SELECT user_id,
    coalesce((SELECT seq FROM feed WHERE feed.user_id = numbered.user_id), 0) + step,
    id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms, key_digest,
    request_digest, ?2
FROM numbered WHERE true ORDER BY place
RETURNING id, seq, (SELECT epoch FROM record), 2
