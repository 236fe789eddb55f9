-- $1 user, $2 json, $3 now_ms
INSERT INTO bellwire.preference (user_id, json, rev) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE
SET json = excluded.json, rev = greatest(preference.rev + 1, excluded.rev)
