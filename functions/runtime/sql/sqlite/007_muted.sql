-- Muted notifications: those of a kind that their user did not want in the feed when they were
-- created. The create also sets their read mark.
-- A copy from the preferences: a create that read their JSON would take a third longer in SQLite,
-- which compiles it each time.
CREATE TABLE IF NOT EXISTS muted_kind (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    PRIMARY KEY (user_id, kind)
) WITHOUT ROWID
--;
CREATE TRIGGER IF NOT EXISTS preference_added AFTER INSERT ON preference BEGIN
    INSERT INTO muted_kind (user_id, kind)
    SELECT new.user_id, wanted.key FROM json_each(new.json, '$.kinds') AS wanted
    WHERE json_extract(wanted.value, '$.feed') = 0;
END
--;
CREATE TRIGGER IF NOT EXISTS preference_changed AFTER UPDATE OF json ON preference BEGIN
    DELETE FROM muted_kind WHERE user_id = new.user_id;
    INSERT INTO muted_kind (user_id, kind)
    SELECT new.user_id, wanted.key FROM json_each(new.json, '$.kinds') AS wanted
    WHERE json_extract(wanted.value, '$.feed') = 0;
END
--;
CREATE TRIGGER IF NOT EXISTS preference_removed AFTER DELETE ON preference BEGIN
    DELETE FROM muted_kind WHERE user_id = old.user_id;
END
--;
INSERT OR IGNORE INTO muted_kind (user_id, kind)
SELECT preference.user_id, wanted.key
FROM preference, json_each(preference.json, '$.kinds') AS wanted
WHERE json_extract(wanted.value, '$.feed') = 0
--;
-- A repeated create gets the answer of the first one. The caller accepts that the columns exist.
ALTER TABLE erased_keys ADD COLUMN muted INTEGER NOT NULL DEFAULT 0
--;
-- Last: creates write it, and so fail until everything else exists.
ALTER TABLE notifications ADD COLUMN muted INTEGER NOT NULL DEFAULT 0
