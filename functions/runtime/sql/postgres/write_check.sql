-- $1 now_ms, $2 time since which a write counts as recent
-- Refused by a read-only server also when the last write is recent. One that is not takes a new page,
-- as long as no vacuum has found room in the old ones.
UPDATE bellwire.write_check SET at_ms = $1, filler = repeat('x', 7000)
WHERE at_ms NOT BETWEEN $2 AND $1
