-- ?1 after_user, ?2 limit
-- The epoch stands in every row; a record without pending users gives one row without a user.
SELECT record.epoch, behind.user_id, behind.seq, behind.sent_seq
FROM record
LEFT JOIN (
    SELECT user_id, seq, sent_seq FROM feed
    WHERE sent_seq < seq AND user_id > ?1 ORDER BY user_id LIMIT ?2
) AS behind ON true
ORDER BY behind.user_id
