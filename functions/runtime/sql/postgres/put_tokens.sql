-- $1 JSON array of [user, token, digest], null for no token, $2 now_ms
-- Each user and each token stands once. Takes the token from whoever had it. Returns the user, the
-- row's revision, and who lost the token as a JSON array of [user, rev]: the last 8, as a repeat comes
-- before so many others.
SELECT owner_id, owner_rev, losers FROM bellwire.put_tokens_3($1, $2)
