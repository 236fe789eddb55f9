-- ?1 user
-- The trigger deletes the entries in the same transaction. Nothing of theirs is left to send.
UPDATE feed SET erasures = erasures + 1, rev = rev + 1, sent_seq = seq WHERE user_id = ?1
