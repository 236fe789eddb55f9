-- The create of several entries as a function, as create_8 is for one: its plan stays with the
-- connection. Hosts prepare every statement anew, and planning this one takes longer than running it
-- for a few entries.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 9) THEN RETURN; END IF;
CREATE FUNCTION bellwire.create_many_9(entries TEXT) RETURNS TABLE (
    entry_id TEXT, entry_seq BIGINT, record_epoch TEXT, entry_muted INTEGER
) LANGUAGE plpgsql AS $function$
BEGIN
    -- Entries with known keys are dropped before numbering: they would take seqs. One counter row
    -- per user (a row cannot be updated twice), in byte order, and keys in one order, too, since two
    -- calls with the same keys wait for each other. Without either order, tests provoked deadlocks.
    -- Every row of `numbered` has one of `counted` and the reverse: the join is FULL only because
    -- Postgres then hashes. It expects one row of each, and would compare 500 with 500 in pairs.
    -- JSONB, because each ->> on JSON parses its element anew.
    RETURN QUERY
    WITH input AS (
        SELECT place, item->>0 AS user_id, item->>1 AS id, item->>2 AS title, item->>3 AS body,
            item->>4 AS kind, item->>5 AS data, (item->>6)::bigint AS created_at_ms,
            (item->>7)::bigint AS expires_at_ms, item->>8 AS idempotency, item->>9 AS request_hash,
            item->>10 AS key_digest, item->>11 AS push
        FROM jsonb_array_elements(entries::jsonb) WITH ORDINALITY AS items (item, place)
    ), fresh AS (
        SELECT input.*, row_number() OVER (PARTITION BY input.idempotency ORDER BY place) AS copy
        FROM input LEFT JOIN bellwire.notifications AS known ON known.idempotency = input.idempotency
            LEFT JOIN bellwire.erased_keys AS erased ON erased.digest = input.key_digest
        WHERE known.id IS NULL AND erased.id IS NULL
    ), numbered AS (
        SELECT fresh.*, row_number() OVER (PARTITION BY user_id ORDER BY place) AS step,
            count(*) OVER (PARTITION BY user_id) AS steps, (
                SELECT count(*)::integer FROM bellwire.preference
                WHERE preference.user_id = fresh.user_id
                    AND preference.json::json->'kinds'->fresh.kind->>'feed' = 'false'
            ) AS muted
        FROM fresh WHERE copy = 1 OR idempotency IS NULL
    ), counted AS (
        INSERT INTO bellwire.feed (user_id, seq, updated_at_ms)
        SELECT user_id, count(*), max(created_at_ms) FROM numbered
        GROUP BY user_id ORDER BY user_id COLLATE "C"
        ON CONFLICT (user_id) DO UPDATE
        SET seq = feed.seq + excluded.seq, updated_at_ms = excluded.updated_at_ms
        RETURNING user_id, seq
    ), inserted AS (
        INSERT INTO bellwire.notifications (user_id, seq, id, title, body, kind, data, created_at_ms,
            expires_at_ms, idempotency, request_hash, push, muted, read_at_ms)
        SELECT numbered.user_id, counted.seq - steps + step, id, title, body, kind, data, created_at_ms,
            expires_at_ms, idempotency, request_hash, push, muted,
            CASE muted WHEN 1 THEN created_at_ms END
        FROM numbered FULL JOIN counted ON counted.user_id = numbered.user_id
        ORDER BY idempotency COLLATE "C"
        RETURNING user_id, seq, id, push, created_at_ms, muted
    ), jobs AS (
        INSERT INTO bellwire.push_job (user_id, seq, options, next_at_ms, created_at_ms)
        SELECT user_id, seq, push,
            created_at_ms + 1000 * coalesce((push::json->>'afterSeconds')::bigint, 0), created_at_ms
        FROM inserted WHERE push IS NOT NULL
    )
    SELECT id, seq, (SELECT epoch FROM bellwire.record), muted FROM inserted;
END $function$;
UPDATE bellwire.record SET schema_version = 9;
END $migration$
