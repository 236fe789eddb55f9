-- $1 JSON array of [user, seq]
-- sent_seq never decreases and never exceeds seq. Rows are locked in byte order, as everywhere.
WITH sent AS (
    SELECT item->>0 AS user_id, (item->>1)::bigint AS seq
    FROM json_array_elements($1::text::json) AS items (item)
), locked AS (
    SELECT feed.user_id, sent.seq FROM bellwire.feed JOIN sent ON sent.user_id = feed.user_id
    ORDER BY feed.user_id FOR UPDATE OF feed
)
UPDATE bellwire.feed SET sent_seq = greatest(feed.sent_seq, least(locked.seq, feed.seq))
FROM locked WHERE feed.user_id = locked.user_id
