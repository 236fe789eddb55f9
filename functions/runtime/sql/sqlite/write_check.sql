-- ?1 now_ms, ?2 time since which a write counts as recent
-- Needs the write lock, and so a file that can be written, also when the last write is recent. One that
-- is not appends to the log about as many pages as a create does; random, since SQLite leaves out pages
-- that stay as they are.
UPDATE write_check SET at_ms = ?1, filler = hex(randomblob(16384)) WHERE at_ms NOT BETWEEN ?2 AND ?1
