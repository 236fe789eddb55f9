-- ?1 JSON array of [user, seq]
-- sent_seq never decreases and never exceeds seq.
UPDATE feed SET sent_seq = max(feed.sent_seq, min(sent.seq, feed.seq))
FROM (
    SELECT json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS seq
    FROM json_each(?1)
) AS sent
WHERE feed.user_id = sent.user_id
