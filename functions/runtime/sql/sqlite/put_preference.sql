-- ?1 user, ?2 json, ?3 now_ms
INSERT INTO preference (user_id, json, rev) VALUES (?1, ?2, ?3)
ON CONFLICT (user_id) DO UPDATE SET json = excluded.json, rev = max(rev + 1, excluded.rev)
