-- Tells how far many feeds are, for the relay.
--
-- KEYS     list, companion  pairs, one per user
-- ARGV[1]  epoch            of the record
--
-- Returns per user the seq of the newest entry that is in the feed, or -1 for a feed that is cold
-- and must be loaded, or -2 for a key of the wrong type.

local heads = {}
for i = 1, #KEYS, 2 do
  local state = redis.pcall('HMGET', KEYS[i + 1], 'epoch', 'head', 'n')
  local length = redis.pcall('LLEN', KEYS[i])
  if state.err or type(length) == 'table' then
    heads[#heads + 1] = -2
  else
    local n = tonumber(state[3]) or 0
    local warm = state[1] == ARGV[1] and length >= n
      and (n == 0 or redis.call('TTL', KEYS[i]) >= 0)
    heads[#heads + 1] = warm and tonumber(state[2]) or -1
  end
end
return heads
