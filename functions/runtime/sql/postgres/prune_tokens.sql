-- $1 JSON array of [user, digest], $2 now_ms
-- Returns user and revision for each token that was current. Rows are locked in byte order, as
-- everywhere.
WITH dead AS (
    SELECT push_token.user_id FROM bellwire.push_token
    JOIN json_array_elements($1::text::json) AS item
        ON push_token.user_id = item->>0 AND push_token.digest = item->>1
    ORDER BY push_token.user_id FOR UPDATE OF push_token
)
UPDATE bellwire.push_token SET token = NULL, digest = NULL, lost = NULL, rev = greatest(rev + 1, $2)
FROM dead WHERE push_token.user_id = dead.user_id
RETURNING push_token.user_id, push_token.rev
