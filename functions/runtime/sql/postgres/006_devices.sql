-- Devices and preferences. sqlite/005_devices.sql explains the columns.
DO $migration$ BEGIN
PERFORM pg_advisory_xact_lock(7307014);
IF EXISTS (SELECT 1 FROM bellwire.record WHERE schema_version >= 6) THEN RETURN; END IF;
ALTER TABLE bellwire.push_token ADD COLUMN locale TEXT, ADD COLUMN time_zone TEXT;
CREATE TABLE bellwire.device (
    user_id TEXT COLLATE "C" NOT NULL,
    device TEXT COLLATE "C" NOT NULL,
    kind TEXT NOT NULL,
    address TEXT NOT NULL,
    digest TEXT COLLATE "C" NOT NULL UNIQUE,
    rev BIGINT NOT NULL,
    locale TEXT,
    time_zone TEXT,
    seen_at_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, device)
);
CREATE TABLE bellwire.preference (
    user_id TEXT COLLATE "C" PRIMARY KEY,
    json TEXT NOT NULL,
    rev BIGINT NOT NULL
);
-- A trigger: hosts of the previous version still call put_tokens_3.
CREATE FUNCTION bellwire.push_token_changed_6() RETURNS TRIGGER LANGUAGE plpgsql AS $function$
BEGIN
    IF new.digest IS NULL THEN
        new.locale := NULL;
        new.time_zone := NULL;
    ELSE
        DELETE FROM bellwire.device WHERE digest = new.digest;
    END IF;
    RETURN new;
END $function$;
CREATE TRIGGER push_token_changed BEFORE INSERT OR UPDATE OF digest ON bellwire.push_token
    FOR EACH ROW EXECUTE FUNCTION bellwire.push_token_changed_6();
-- put_tokens_3 plus the limit on devices.
CREATE FUNCTION bellwire.put_tokens_6(input TEXT, now_ms BIGINT, devices_max BIGINT)
RETURNS TABLE (owner_id TEXT, owner_rev BIGINT, losers TEXT) LANGUAGE plpgsql AS $function$
BEGIN
    -- Two calls for one user would count the same devices. Locks of users come before those of
    -- addresses, each in one order.
    PERFORM pg_advisory_xact_lock(7307016, slot) FROM (
        SELECT DISTINCT hashtext(item->>0) & 63 AS slot
        FROM json_array_elements(input::json) AS item
        WHERE item->>2 IS NOT NULL ORDER BY slot
    ) AS slots;
    IF EXISTS (
        SELECT 1 FROM bellwire.device
        WHERE user_id IN (
            SELECT item->>0 FROM json_array_elements(input::json) AS item
            WHERE item->>2 IS NOT NULL
        ) AND digest NOT IN (
            SELECT item->>2 FROM json_array_elements(input::json) AS item
            WHERE item->>2 IS NOT NULL
        )
        GROUP BY user_id HAVING count(*) >= devices_max
    ) THEN
        RETURN;
    END IF;
    -- Devices lose the tokens in the trigger; their rows, too, are locked in one order before.
    PERFORM pg_advisory_xact_lock(7307015, slot) FROM (
        SELECT DISTINCT hashtext(item->>2) & 63 AS slot
        FROM json_array_elements(input::json) AS item
        WHERE item->>2 IS NOT NULL ORDER BY slot
    ) AS slots;
    PERFORM 1 FROM bellwire.device
    WHERE digest IN (SELECT item->>2 FROM json_array_elements(input::json) AS item)
    ORDER BY user_id, device FOR UPDATE;
    RETURN QUERY SELECT * FROM bellwire.put_tokens_3(input, now_ms);
END $function$;
CREATE FUNCTION bellwire.put_device_6(
    new_user_id TEXT, new_device TEXT, new_kind TEXT, new_address TEXT, new_digest TEXT,
    new_locale TEXT, new_time_zone TEXT, now_ms BIGINT, devices_max BIGINT
) RETURNS TABLE (device_rev BIGINT, losers TEXT) LANGUAGE plpgsql AS $function$
BEGIN
    -- The locks of put_tokens_6, in its order.
    PERFORM pg_advisory_xact_lock(7307016, hashtext(new_user_id) & 63);
    PERFORM pg_advisory_xact_lock(7307015, hashtext(new_digest) & 63);
    IF devices_max <= (
        SELECT count(*) FROM bellwire.device
        WHERE user_id = new_user_id AND device <> new_device AND digest <> new_digest
    ) + (
        SELECT count(*) FROM bellwire.push_token
        WHERE user_id = new_user_id AND digest <> new_digest
    ) THEN
        RETURN;
    END IF;
    PERFORM 1 FROM bellwire.device
    WHERE digest = new_digest OR (user_id = new_user_id AND device = new_device)
    ORDER BY user_id, device FOR UPDATE;
    UPDATE bellwire.push_token AS known
    SET token = NULL, digest = NULL, rev = greatest(known.rev + 1, now_ms), lost = known.digest,
        lost_at = 1 + coalesce((
            SELECT max(earlier.lost_at) FROM bellwire.push_token AS earlier
            WHERE earlier.lost = new_digest
        ), 0)
    WHERE known.digest = new_digest;
    DELETE FROM bellwire.device AS known
    WHERE known.digest = new_digest
        AND NOT (known.user_id = new_user_id AND known.device = new_device);
    INSERT INTO bellwire.device AS known (user_id, device, kind, address, digest, rev, locale,
        time_zone, seen_at_ms)
    VALUES (new_user_id, new_device, new_kind, new_address, new_digest, now_ms, new_locale,
        new_time_zone, now_ms)
    ON CONFLICT (user_id, device) DO UPDATE
    SET kind = excluded.kind, address = excluded.address, digest = excluded.digest,
        rev = greatest(known.rev + 1, excluded.rev), locale = excluded.locale,
        time_zone = excluded.time_zone, seen_at_ms = excluded.seen_at_ms
    RETURNING known.rev INTO device_rev;
    SELECT coalesce(json_agg(json_build_array(loser.user_id, loser.rev))::text, '[]') INTO losers
    FROM (
        SELECT gone.user_id, gone.rev FROM bellwire.push_token AS gone
        WHERE gone.lost = new_digest AND gone.digest IS NULL
        ORDER BY gone.lost_at DESC LIMIT 8
    ) AS loser;
    RETURN NEXT;
END $function$;
UPDATE bellwire.record SET schema_version = 6;
END $migration$
