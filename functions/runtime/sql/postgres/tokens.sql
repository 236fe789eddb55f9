-- $1 JSON array of users
-- One row per user, in order; revision 0 without a row.
SELECT coalesce(rev, 0), token
FROM json_array_elements_text($1::text::json) WITH ORDINALITY AS wanted (user_id, place)
LEFT JOIN bellwire.push_token ON push_token.user_id = wanted.user_id
ORDER BY wanted.place
