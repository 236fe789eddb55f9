-- ?1 now_ms, ?2 time since which a write counts as recent
-- Takes the write lock, and so needs a writable file, even if the last write is recent. A write
-- appends about as many pages to the log as a create; random bytes, since SQLite skips unchanged
-- pages.
UPDATE write_check SET at_ms = ?1, filler = hex(randomblob(16384)) WHERE at_ms NOT BETWEEN ?2 AND ?1
