-- $1 after_user, $2 limit
-- Every row has the epoch; without pending users, one row has NULL as its user.
SELECT record.epoch, behind.user_id, behind.seq, behind.sent_seq
FROM bellwire.record
LEFT JOIN (
    SELECT user_id, seq, sent_seq FROM bellwire.feed
    WHERE sent_seq < seq AND user_id > $1 ORDER BY user_id LIMIT $2
) AS behind ON true
ORDER BY behind.user_id
