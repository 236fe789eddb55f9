-- $1 JSON array of [user, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms,
--    digest of the key, digest of key and request], $2 now_ms
-- As create_batch.sql, which explains the order of locks and the join: entries with known keys are
-- dropped before numbering. Returns no rows for known or repeated keys.
WITH input AS (
    SELECT place, item->>0 AS user_id, item->>1 AS id, item->>2 AS title, item->>3 AS body,
        item->>4 AS kind, item->>5 AS data, (item->>6)::bigint AS created_at_ms,
        (item->>7)::bigint AS expires_at_ms, (item->>8)::bigint AS read_at_ms,
        item->>9 AS key_digest, item->>10 AS request_digest
    FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS items (item, place)
), fresh AS (
    SELECT input.*, row_number() OVER (PARTITION BY input.key_digest ORDER BY place) AS copy
    FROM input LEFT JOIN bellwire.import_key AS known ON known.digest = input.key_digest
    WHERE known.id IS NULL
), numbered AS (
    SELECT fresh.*, row_number() OVER (PARTITION BY user_id ORDER BY place) AS step,
        count(*) OVER (PARTITION BY user_id) AS steps
    FROM fresh WHERE copy = 1 OR key_digest IS NULL
), counted AS (
    INSERT INTO bellwire.feed (user_id, seq, updated_at_ms)
    SELECT user_id, count(*), $2::bigint FROM numbered
    GROUP BY user_id ORDER BY user_id COLLATE "C"
    ON CONFLICT (user_id) DO UPDATE
    SET seq = feed.seq + excluded.seq, updated_at_ms = excluded.updated_at_ms
    RETURNING user_id, seq
), placed AS (
    SELECT numbered.user_id, counted.seq - steps + step AS seq, id, title, body, kind, data,
        created_at_ms, expires_at_ms, read_at_ms, key_digest, request_digest
    FROM numbered FULL JOIN counted ON counted.user_id = numbered.user_id
), inserted AS (
    INSERT INTO bellwire.notifications (user_id, seq, id, title, body, kind, data, created_at_ms,
        expires_at_ms, read_at_ms, muted)
    SELECT user_id, seq, id, title, body, kind, data, created_at_ms, expires_at_ms, read_at_ms, 2
    FROM placed
    RETURNING id, seq
), keyed AS (
    INSERT INTO bellwire.import_key (digest, request_digest, id, seq, imported_at_ms)
    SELECT key_digest, request_digest, id, seq, $2::bigint
    FROM placed WHERE key_digest IS NOT NULL ORDER BY key_digest COLLATE "C"
)
SELECT id, seq, (SELECT epoch FROM bellwire.record), 2 FROM inserted
