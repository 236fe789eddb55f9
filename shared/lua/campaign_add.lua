-- @include guard campaign
-- Adds users to a campaign, or replaces all users and restarts the count. A call with an idempotency
-- key that the campaign knows changes nothing; keys live and end with the campaign, and a
-- replacement forgets the earlier ones.
--
-- KEYS[3]  once        of the request
-- ARGV[1]  ttl_s       of the campaign
-- ARGV[2]  once_ttl_s
-- ARGV[3]  mode        append | replace
-- ARGV[4]  users_max   of the campaign
-- ARGV[5]  keys_max    of the campaign
-- ARGV[6]  key         digest of the idempotency key; empty for none
-- ARGV[7]  digest      of the elements; empty without a key
-- ARGV     elements
--
-- Returns {remaining}; {-1, remaining} if there would be more than users_max; {-2, remaining} if the
-- key came with other elements before; {-3, remaining} if there would be more than keys_max.

local PUSHED_AT_ONCE = 1000 -- Lua's stack bounds the arguments of one call
local FIRST = 8
local key, digest = ARGV[6], ARGV[7]
local len, processed = look()
local is_replace = ARGV[3] == 'replace'
local kept = is_replace and 0 or len
local keys = 0
if key ~= '' then
  local known = redis.call('HMGET', companion, 'key:' .. key, 'keys')
  if known[1] then return known[1] == digest and {len} or {-2, len} end
  keys = is_replace and 0 or tonumber(known[2]) or 0
  if keys >= tonumber(ARGV[5]) then return {-3, len} end
end
before_writing('RPUSH', list, 'DEL', list, 'HSET', companion, 'TTL', companion, 'EXPIRE', list)
if is_repeat(KEYS[3], ARGV[2]) then return {len} end
if kept + #ARGV - FIRST + 1 > tonumber(ARGV[4]) then
  redis.call('DEL', KEYS[3])
  return {-1, kept}
end
if is_replace then
  redis.call('DEL', list, companion)
  processed = 0
end
for i = FIRST, #ARGV, PUSHED_AT_ONCE do
  redis.call('RPUSH', list, unpack(ARGV, i, math.min(i + PUSHED_AT_ONCE - 1, #ARGV)))
end
len = redis.call('LLEN', list)
note(len, processed, ARGV[1])
if key ~= '' then redis.call('HSET', companion, 'keys', keys + 1, 'key:' .. key, digest) end
redis.call('EXPIRE', list, ARGV[1])
redis.call('EXPIRE', companion, ARGV[1])
return {len}
