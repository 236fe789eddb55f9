-- $1 now_ms, $2 time since which a write counts as recent
-- A read-only server rejects it even if the last write is recent. A write takes a new page unless a
-- vacuum has freed space in the old ones.
UPDATE bellwire.write_check SET at_ms = $1, filler = repeat('x', 7000)
WHERE at_ms NOT BETWEEN $2 AND $1
