-- @include users token
-- Reads push tokens.
--
-- ARGV[1]  ttl_s  for a token that another service wrote without an expiry
--
-- Returns state and token per user: the state is 1 if the record is known to have no token either,
-- -1 if the key is not a string, else 0; the token is "" if Redis has none.

return for_users(1, 0, 2, function(_, key, companion)
  local token = get(key)
  if type(token) == 'table' then return -1, '' end
  if token then
    -- A Redis that accepts no writes can still be read.
    if redis.call('TTL', key) == -1 then redis.pcall('EXPIRE', key, ARGV[1]) end
    return 0, token
  end
  local _, is_absent = token_state(companion)
  return is_absent and 1 or 0, ''
end)
