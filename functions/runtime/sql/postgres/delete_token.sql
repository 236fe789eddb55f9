-- $1 user, $2 now_ms
INSERT INTO bellwire.push_token (user_id, rev) VALUES ($1, $2)
ON CONFLICT (user_id) DO UPDATE
SET token = NULL, digest = NULL, lost = NULL, rev = greatest(push_token.rev + 1, excluded.rev)
RETURNING rev
