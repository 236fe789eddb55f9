-- $1 user
-- Nothing of theirs is left to send.
WITH owner AS (
    UPDATE bellwire.feed SET rev = rev + 1, sent_seq = seq WHERE user_id = $1 RETURNING user_id
)
DELETE FROM bellwire.notifications USING owner WHERE notifications.user_id = owner.user_id
