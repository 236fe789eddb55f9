-- ?1 user
-- The trigger empties the entries in the same transaction. Nothing of theirs is left to send.
UPDATE feed SET erasures = erasures + 1, rev = rev + 1, sent_seq = seq
FROM erased_keys_schema WHERE user_id = ?1
