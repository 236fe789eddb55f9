-- @include token
-- Reads a push token.
--
-- KEYS     token, companion
-- ARGV[1]  ttl_s  for a token that another service wrote without an expiry
--
-- Returns {is_absent, token}: token is "" if Redis has none, and is_absent 1 if the record has none
-- either.

local token = redis.call('GET', KEYS[1])
if token then
  -- A Redis that accepts no writes can still be read.
  if redis.call('TTL', KEYS[1]) == -1 then redis.pcall('EXPIRE', KEYS[1], ARGV[1]) end
  return {0, token}
end
local _, is_absent = token_state(KEYS[2])
return {is_absent and 1 or 0, ''}
