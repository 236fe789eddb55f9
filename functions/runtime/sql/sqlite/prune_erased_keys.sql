-- ?1 created_at_ms below which idempotency keys have expired, ?2 row limit
DELETE FROM erased_keys WHERE digest IN (
    SELECT digest FROM erased_keys WHERE created_at_ms < ?1 LIMIT ?2
)
RETURNING 1
