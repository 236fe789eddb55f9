-- $1 rev below which a row without a token is of no use any more, $2 most rows
-- Looked at again when the row is locked: it may have a token by then.
DELETE FROM bellwire.push_token WHERE digest IS NULL AND rev < $1 AND user_id IN (
    SELECT user_id FROM bellwire.push_token WHERE digest IS NULL AND rev < $1 LIMIT $2
)
RETURNING 1
