-- ?1 imported_at_ms below which idempotency keys of imports have expired, ?2 row limit
DELETE FROM import_key WHERE digest IN (
    SELECT digest FROM import_key WHERE imported_at_ms < ?1 LIMIT ?2
)
RETURNING 1
