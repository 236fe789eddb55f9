-- $1 rev below which rows without a token are obsolete, $2 row limit
-- Checked again once the row is locked: it may have a token by then.
DELETE FROM bellwire.push_token WHERE digest IS NULL AND rev < $1 AND user_id IN (
    SELECT user_id FROM bellwire.push_token WHERE digest IS NULL AND rev < $1 LIMIT $2
)
RETURNING 1
