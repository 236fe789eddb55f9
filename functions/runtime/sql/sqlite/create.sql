-- ?1 user, ?2 id, ?3 title, ?4 body, ?5 kind, ?6 data, ?7 created_at_ms, ?8 expires_at_ms,
-- ?9 idempotency, ?10 request hash, ?11 digest of the key, ?12 push, JSON or null
-- One statement is one transaction. It holds the write lock from its start, so that no other write
-- comes between reading the counter and moving it (by trigger). Another trigger makes the push job.
-- Returns no row if the key is known.
INSERT INTO notifications (user_id, seq, id, title, body, kind, data, created_at_ms, expires_at_ms,
    idempotency, request_hash, push, muted, read_at_ms)
SELECT ?1, coalesce((SELECT seq FROM feed WHERE user_id = ?1), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
    ?9, ?10, ?12, unwanted.kind IS NOT NULL, CASE WHEN unwanted.kind IS NOT NULL THEN ?7 END
-- One row each. The tables are created last: without them, the unique index below or the trigger
-- may be missing, too.
FROM record, push_job_schema
LEFT JOIN muted_kind AS unwanted ON unwanted.user_id = ?1 AND unwanted.kind = ?5
WHERE NOT EXISTS (SELECT 1 FROM erased_keys WHERE digest = ?11)
ON CONFLICT (idempotency) WHERE idempotency IS NOT NULL DO NOTHING
RETURNING id, seq, (SELECT epoch FROM record), muted
