-- Push tokens. sqlite/002_tokens.sql explains the columns.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 3) THEN RETURN; END IF;
CREATE TABLE bellwire.push_token (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    token TEXT,
    digest TEXT COLLATE "C" UNIQUE,
    rev BIGINT NOT NULL,
    lost TEXT COLLATE "C",
    lost_at BIGINT
);
CREATE INDEX push_token_lost ON bellwire.push_token (lost) WHERE lost IS NOT NULL;
CREATE INDEX push_token_gone ON bellwire.push_token (rev) WHERE digest IS NULL;
-- A function: each step sees commits made while the step before it waited.
CREATE FUNCTION bellwire.put_tokens_3(input TEXT, now_ms BIGINT)
RETURNS TABLE (owner_id TEXT, owner_rev BIGINT, losers TEXT) LANGUAGE plpgsql AS $function$
BEGIN
    -- Two calls with one token that has no owner would both insert it. Each token takes one of 64
    -- locks, always in one order: a lock per token would fill the server's lock table.
    PERFORM pg_advisory_xact_lock(7307015, slot) FROM (
        SELECT DISTINCT hashtext(item->>2) & 63 AS slot
        FROM json_array_elements(input::json) AS item
        WHERE item->>2 IS NOT NULL ORDER BY slot
    ) AS slots;
    -- Rows are locked in one order, too, before any is changed.
    PERFORM 1 FROM bellwire.push_token
    WHERE user_id IN (SELECT item->>0 FROM json_array_elements(input::json) AS item)
        OR digest IN (SELECT item->>2 FROM json_array_elements(input::json) AS item)
    ORDER BY user_id FOR UPDATE;
    UPDATE bellwire.push_token AS known
    SET token = NULL, digest = NULL, rev = greatest(known.rev + 1, now_ms), lost = known.digest,
        lost_at = 1 + coalesce((
            SELECT max(earlier.lost_at) FROM bellwire.push_token AS earlier
            WHERE earlier.lost = known.digest
        ), 0)
    FROM json_array_elements(input::json) AS item
    WHERE known.digest = item->>2 AND known.user_id <> item->>0;
    RETURN QUERY WITH written AS (
        INSERT INTO bellwire.push_token AS known (user_id, token, digest, rev)
        SELECT item->>0, item->>1, item->>2, now_ms
        FROM json_array_elements(input::json) AS item ORDER BY (item->>0) COLLATE "C"
        ON CONFLICT (user_id) DO UPDATE
        SET token = excluded.token, digest = excluded.digest,
            rev = greatest(known.rev + 1, excluded.rev), lost = nullif(known.lost, excluded.digest)
        RETURNING known.user_id, known.rev, known.digest
    )
    SELECT written.user_id, written.rev, coalesce((
        SELECT json_agg(json_build_array(loser.user_id, loser.rev))::text FROM (
            SELECT gone.user_id, gone.rev FROM bellwire.push_token AS gone
            WHERE gone.lost = written.digest AND gone.digest IS NULL
            ORDER BY gone.lost_at DESC LIMIT 8
        ) AS loser
    ), '[]') FROM written;
END $function$;
UPDATE bellwire.record SET schema_version = 3;
END $migration$
