-- @include guard
-- Notes in the index of queues that one was used. Repeating it is harmless.
--
-- KEYS[1]  names    zset of names, all scores 0: in alphabetical order
-- KEYS[2]  touched  zset name -> time of the last use, s
-- ARGV[1]  queue
-- ARGV[2]  keep_s   time that a name is kept after the last use
-- ARGV[3]  max      names kept; those used longest ago are dropped, some at each call
--
-- Returns the number of names.

local DROPPED_MAX = 100

local function drop(names)
  if #names > 0 then
    redis.call('ZREM', KEYS[2], unpack(names))
    redis.call('ZREM', KEYS[1], unpack(names))
  end
end

before_writing()
local now = tonumber(redis.call('TIME')[1])
-- Each key with its expiry at once: Redis may refuse the other one, and takes nothing back. A name
-- without a time would never be dropped, so the time comes first.
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
drop(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ARGV[2], 'LIMIT', 0, DROPPED_MAX))
local excess = redis.call('ZCARD', KEYS[2]) - ARGV[3]
if excess > 0 then
  drop(redis.call('ZRANGE', KEYS[2], 0, math.min(excess, DROPPED_MAX) - 1))
end
redis.call('ZADD', KEYS[1], 0, ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
local count = redis.call('ZCARD', KEYS[1])
if count <= redis.call('ZCARD', KEYS[2]) then return count end
-- The times of some names were lost (evicted, deleted). A part of the names is looked at in each
-- call, another one in each second.
local from = now * DROPPED_MAX % count
local some = redis.call('ZRANGE', KEYS[1], from, from + DROPPED_MAX - 1)
local times = redis.call('ZMSCORE', KEYS[2], unpack(some))
local timeless = {}
for i, name in ipairs(some) do
  if not times[i] then timeless[#timeless + 1] = name end
end
if #timeless > 0 then redis.call('ZREM', KEYS[1], unpack(timeless)) end
return redis.call('ZCARD', KEYS[1])
