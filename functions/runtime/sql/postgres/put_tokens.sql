-- $1 JSON array of [user, token, digest], null for no token, $2 now_ms,
-- $3 maximum number of devices
-- Each user and each token appears once. Removes tokens from previous owners. Returns user,
-- revision, and the users that lost the token as a JSON array of [user, rev]: the last 8, since a
-- repeat comes sooner than 8 other changes. No row at all if one of the users would have too many
-- devices.
SELECT owner_id, owner_rev, losers FROM bellwire.put_tokens_6($1, $2, $3)
