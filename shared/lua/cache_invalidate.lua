-- Invalidates one cached value. Whoever is fetching it at the moment loses the lease, so that
-- nothing which was read before can be written after.
--
-- ARGV[1]  mode  "soft" marks it stale, "hard" removes it
-- ARGV[2]  keep  expiry for a value that another service wrote without one, ms
--
-- Returns {n, now}: n is 1 when there was a value. Also what is no string is removed.

local exp = redis.call('PEXPIRETIME', value_key)
local now = now_ms()
redis.call('DEL', lease_key)
if ARGV[1] == 'hard' then
  redis.call('DEL', companion)
  return { redis.call('DEL', value_key), now }
end
local got = redis.call('MGET', unpack(KEYS))
local meta = decided(got[2])
if not got[1] or (meta and meta.exp == exp and meta.kind ~= 'v') then
  -- What is remembered of a failure or of nothing is forgotten.
  redis.call('DEL', companion)
  return { got[1] and 1 or 0, now }
end
if not meta or meta.exp ~= exp then
  -- A value of another service, marked by nothing: what its tags have seen must not be forgotten.
  for i = 4, #KEYS do
    if string.match(got[i] or '', '^%S+ %d+ (%d+) %d+$') ~= '0' and got[i] then
      redis.call('DEL', companion, value_key)
      return { 1, now }
    end
  end
end
if exp == -1 then
  exp = now + ARGV[2]
  redis.call('PEXPIREAT', value_key, exp)
  meta = nil
end
if not meta or meta.exp ~= exp then
  meta = { kind = 'v', exp = exp, at = now, fresh = now, tags = versions_of(got) }
end
meta.fresh, meta.cool = math.min(meta.fresh, now), 0
local problem = failed(decide(meta, exp))
if problem then return redis.error_reply(problem) end
return { 1, now }
