-- Notes in the index of campaigns whose pushes are under way that one was touched, or removes one.
-- This script has no prelude; repeating it is harmless. It needs no guard against a moving slot: it
-- has one key, and that cannot become empty before the last write.
--
-- KEYS[1]  index    zset campaign -> time of the last touch, ms; each touch gives it a later one
-- ARGV[1]  campaign
-- ARGV[2]  keep_s   time that a campaign is kept after the last touch
-- ARGV[3]  max      campaigns kept; those touched longest ago are dropped, some at each call
-- ARGV[4]  touched  "" to touch it; else it is removed if this is still its last touch
--
-- Returns {1}, or {0} if it was touched meanwhile; as text.

local DROPPED_MAX = 100
local before = redis.call('ZSCORE', KEYS[1], ARGV[1])
if ARGV[4] ~= '' then
  if before ~= ARGV[4] then return {'0'} end
  redis.call('ZREM', KEYS[1], ARGV[1])
  return {'1'}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local at = math.max(now, (tonumber(before) or 0) + 1)
redis.call('ZADD', KEYS[1], string.format('%d', at), ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2] * 1000, 'LIMIT', 0,
  DROPPED_MAX)
local excess = redis.call('ZCARD', KEYS[1]) - #old - ARGV[3]
if #old > 0 then redis.call('ZREM', KEYS[1], unpack(old)) end
if excess > 0 then
  local first = redis.call('ZRANGE', KEYS[1], 0, math.min(excess, DROPPED_MAX) - 1)
  redis.call('ZREM', KEYS[1], unpack(first))
end
return {'1'}
