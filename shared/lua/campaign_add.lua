-- @include guard campaign
-- Adds users to a campaign, or replaces all users and restarts the count.
--
-- KEYS[3]  once        of the request
-- ARGV[1]  ttl_s       of the campaign
-- ARGV[2]  once_ttl_s
-- ARGV[3]  mode        append | replace
-- ARGV[4]  users_max   of the campaign
-- ARGV     elements
--
-- Returns {remaining}, or {-1, remaining} if there would be more than users_max.

local PUSHED_AT_ONCE = 1000 -- Lua's stack bounds the arguments of one call
local FIRST = 5
local len, processed = look()
local is_replace = ARGV[3] == 'replace'
local kept = is_replace and 0 or len
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
redis.call('EXPIRE', list, ARGV[1])
redis.call('EXPIRE', companion, ARGV[1])
return {len}
