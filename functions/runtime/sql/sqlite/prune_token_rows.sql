-- ?1 rev below which rows without a token are obsolete, ?2 row limit
DELETE FROM push_token WHERE user_id IN (
    SELECT user_id FROM push_token WHERE digest IS NULL AND rev < ?1 LIMIT ?2
)
RETURNING 1
