-- @include guard campaign push
-- Starts sending to a campaign's users, or changes how. Repeating it is harmless.
--
-- A push that is done or cancelled starts again with counters of zero, if there are users or the
-- options are others. One that is under way gets the options, keeps its counters and, if it is
-- paused, stays so.
--
-- ARGV[2]  options
-- ARGV[3]  rate      users per second
-- ARGV[4]  start_ms  0: at once
--
-- Returns `progress`; state "none" if there is no such campaign.

local options, rate = ARGV[2], ARGV[3]
local len, processed = look()
if len == 0 and redis.call('EXISTS', companion) == 0 then return progress(len, 0) end
before_writing('HSET', push, 'HDEL', push, 'DEL', dead, 'HSET', companion, 'TTL', companion,
  'EXPIRE', push, 'EXPIRE', list, 'HMGET', push, 'ZCARD', blocks, 'ZRANGE', blocks, 'ZCARD', retry,
  'LINDEX', key_of('-'))
local now = now_ms()
local known = redis.call('HMGET', push, 'state', 'options', 'rev', 'rate')
local state, is_same = known[1], known[2] == options
local rev = math.max(now, (tonumber(known[3]) or 0) + 1)
local is_ended = state == 'done' or state == 'cancelled'
if not state or (is_ended and (len > 0 or not is_same)) then
  local fresh = is_over(len) and 'done' or 'running'
  redis.call('HSET', push, 'state', fresh, 'reason', '', 'rev', int(rev), 'options', options,
    'rate', rate, 'start_ms', ARGV[4], 'sent', 0, 'failed', 0, 'invalid', 0, 'skipped', 0)
  redis.call('HDEL', push, 'filled_ms', 'speed')
  redis.call('DEL', dead)
elseif not is_same then
  redis.call('HSET', push, 'rev', int(rev), 'options', options, 'rate', rate, 'start_ms', ARGV[4])
  -- The ramp begins again.
  if known[4] ~= rate then redis.call('HDEL', push, 'filled_ms') end
end
note(len, processed, ARGV[1])
redis.call('EXPIRE', list, ARGV[1])
renew_push()
return progress(len, now)
