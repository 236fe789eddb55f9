-- ?1 JSON array of [user, seq, rev]
-- Removes jobs that no later claim has taken over.
DELETE FROM push_job WHERE (user_id, seq, rev) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(?1)
)
RETURNING 1
