-- ?1 user
-- Triggers empty the entries in the same transaction; none is left to deliver or to push.
UPDATE feed SET erasures = erasures + 1, rev = rev + 1, sent_seq = seq
FROM erased_keys_schema WHERE user_id = ?1
