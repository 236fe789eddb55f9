-- ?1 JSON array of users
-- One row per user, in order; revision 0 without a row.
SELECT coalesce(rev, 0), token
FROM json_each(?1) AS wanted LEFT JOIN push_token ON push_token.user_id = wanted.value
ORDER BY wanted.key
