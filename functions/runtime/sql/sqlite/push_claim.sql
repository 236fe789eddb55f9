-- ?1 now_ms, ?2 end of the lease, ms, ?3 limit
-- Claims jobs, the longest due first, until the end of the lease. The last column is the entry, as
-- a JSON array; NULL if there is none any more.
UPDATE push_job SET next_at_ms = ?2, rev = push_job.rev + 1
FROM (
    SELECT user_id, seq FROM push_job WHERE next_at_ms <= ?1 ORDER BY next_at_ms LIMIT ?3
) AS due
WHERE push_job.user_id = due.user_id AND push_job.seq = due.seq
RETURNING user_id, seq, rev, attempts, options, done, created_at_ms, (
    SELECT json_array(entry.id, entry.title, entry.body, entry.kind, entry.data,
        entry.expires_at_ms, entry.read_at_ms)
    FROM notifications AS entry
    WHERE entry.user_id = push_job.user_id AND entry.seq = push_job.seq
        AND entry.deleted_at_ms IS NULL
)
