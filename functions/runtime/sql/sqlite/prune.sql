-- ?1 now_ms, ?2 created_at_ms below which all entries go, ?3 created_at_ms below which idempotency
-- keys have expired, ?4 row limit
DELETE FROM notifications WHERE rowid IN (
    SELECT rowid FROM notifications WHERE created_at_ms < ?2
    UNION
    SELECT rowid FROM notifications WHERE expires_at_ms <= ?1 AND created_at_ms < ?3
    UNION
    SELECT rowid FROM notifications WHERE deleted_at_ms IS NOT NULL AND created_at_ms < ?3
    LIMIT ?4
)
RETURNING 1
