-- $1 now_ms, $2 created_at_ms below which all entries go, $3 created_at_ms below which idempotency
-- keys have expired, $4 row limit
WITH pruned AS (
    DELETE FROM bellwire.notifications WHERE id IN (
        SELECT id FROM bellwire.notifications WHERE created_at_ms < $2
        UNION
        SELECT id FROM bellwire.notifications WHERE expires_at_ms <= $1 AND created_at_ms < $3
        UNION
        SELECT id FROM bellwire.notifications WHERE deleted_at_ms IS NOT NULL AND created_at_ms < $3
        LIMIT $4
    )
    RETURNING user_id, seq, push
), unpushed AS (
    DELETE FROM bellwire.push_job USING pruned
    WHERE pruned.push IS NOT NULL
        AND push_job.user_id = pruned.user_id AND push_job.seq = pruned.seq
)
SELECT 1 FROM pruned
