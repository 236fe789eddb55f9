-- ?1 rev below which a row without a token is of no use any more, ?2 most rows
DELETE FROM push_token WHERE user_id IN (
    SELECT user_id FROM push_token WHERE digest IS NULL AND rev < ?1 LIMIT ?2
)
RETURNING 1
