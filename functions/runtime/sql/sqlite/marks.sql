-- ?1 user, ?2 limit
-- The newest read entries, with the current epoch and revision.
SELECT record.epoch, coalesce(feed.rev, 0), entry.seq, entry.read_at_ms
FROM record
LEFT JOIN feed ON feed.user_id = ?1
LEFT JOIN (
    SELECT seq, read_at_ms FROM notifications
    WHERE user_id = ?1 AND read_at_ms IS NOT NULL AND deleted_at_ms IS NULL
    ORDER BY seq DESC LIMIT ?2
) AS entry ON true
ORDER BY entry.seq
