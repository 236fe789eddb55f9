-- @include token
-- Reads push tokens.
--
-- KEYS     token, companion  pairs, one per user
-- ARGV[1]  ttl_s  for a token that another service wrote without an expiry
--
-- Returns state and token per user: the state is 1 if the record is known to have no token either,
-- -1 if the key is not a string, else 0; the token is "" if Redis has none.

local found = {}
for i = 1, #KEYS, 2 do
  local state, token = 0, get(KEYS[i])
  if type(token) == 'table' then
    state, token = -1, ''
  elseif token then
    -- A Redis that accepts no writes can still be read.
    if redis.call('TTL', KEYS[i]) == -1 then redis.pcall('EXPIRE', KEYS[i], ARGV[1]) end
  else
    local _, is_absent = token_state(KEYS[i + 1])
    state, token = is_absent and 1 or 0, ''
  end
  found[i], found[i + 1] = state, token
end
return found
