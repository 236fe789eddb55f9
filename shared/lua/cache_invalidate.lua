-- @include guard cache
-- Invalidates one cached value. A reader that is fetching it loses the cache lease, so that a value
-- fetched before the invalidation cannot be written after it.
--
-- ARGV[1]  mode  "soft" marks it stale (or removes it if it may not be served), "hard" removes it
-- ARGV[2]  keep  expiry for a value that another service wrote without one, ms
-- ARGV[3]  token, ARGV[4]  tag_keep, ms: for missing tags, as in cache_read.lua
-- ARGV[5..]  tags, see cache.lua
--
-- Returns {n, now}: n is 1 if there was a value. A key that is not a string is removed, too.

local exp = redis.call('PEXPIRETIME', value_key)
local now = now_ms()
before_writing()
redis.call('DEL', lease_key)
if ARGV[1] == 'hard' then
  redis.call('DEL', companion)
  return { redis.call('DEL', value_key), now }
end
local got = get_all(5)
local meta = decided(got[2])
if meta and meta.exp ~= exp then meta = nil end

-- A value that may not be served, since the source failed to replace it, or since a tag was
-- invalidated hard and the value may be older. Marking it stale would make it servable.
local is_barred = meta and meta.kind ~= 'v'
for i = 4, last_tag do
  local hard = not meta and string.match(got[i] or '', '^[^/%s]+/%S* %d+ (%d+)$')
  is_barred = is_barred or (hard and hard ~= '0')
end
if not got[1] or is_barred then
  redis.call('DEL', companion, value_key)
  return { got[1] and 1 or 0, now }
end

if not meta then
  if exp == -1 then
    exp = now + ARGV[2]
    redis.call('PEXPIREAT', value_key, exp)
  end
  -- Without versions, later invalidations of these tags would go unnoticed.
  local problem = complete_tags(got, ARGV[3], now, ARGV[4])
  if problem then return redis.error_reply(problem) end
  meta = { kind = 'v', exp = exp, at = now, fresh = now, tags = versions_of(got) }
end
meta.fresh, meta.cool = math.min(meta.fresh, now), 0
local problem = failed(decide(meta, exp))
if problem then return redis.error_reply(problem) end
return { 1, now }
