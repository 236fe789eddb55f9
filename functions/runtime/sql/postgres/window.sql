-- $1 user, $2 limit
-- A user without entries has one row with NULL in the entry columns.
SELECT record.epoch, coalesce(feed.seq, 0), coalesce(feed.sent_seq, 0), coalesce(feed.rev, 0),
    entry.seq, entry.id, entry.title, entry.body, entry.kind, entry.data,
    entry.created_at_ms, entry.expires_at_ms, entry.read_at_ms, entry.muted
FROM bellwire.record
LEFT JOIN bellwire.feed ON feed.user_id = $1
LEFT JOIN (
    SELECT * FROM bellwire.notifications WHERE user_id = $1 AND deleted_at_ms IS NULL
    ORDER BY seq DESC LIMIT $2
) AS entry ON true
ORDER BY entry.seq
