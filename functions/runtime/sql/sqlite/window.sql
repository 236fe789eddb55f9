-- ?1 user, ?2 limit
-- One row even for a user without entries: the counters stand in the first, empty row.
SELECT record.epoch, coalesce(feed.seq, 0), coalesce(feed.sent_seq, 0),
    coalesce(feed.read_upto, 0), coalesce(feed.rev, 0),
    entry.seq, entry.id, entry.title, entry.body, entry.kind, entry.data,
    entry.created_at_ms, entry.expires_at_ms
FROM record
LEFT JOIN feed ON feed.user_id = ?1
LEFT JOIN (
    SELECT * FROM notifications WHERE user_id = ?1 ORDER BY seq DESC LIMIT ?2
) AS entry ON true
ORDER BY entry.seq
