-- @include guard queue
-- Counts a queue's messages by state.
--
-- Returns {ready, delayed, in flight, dead, age_ms}. Messages that are due, or whose visibility
-- timeout is over, count as ready: the next receive serves them. age_ms is that of the oldest
-- message with an id (received before, or sent with a delay); -1 if there is none.

local now = now_ms()
local due = redis.call('ZCOUNT', delayed, '-inf', now)
local over = redis.call('ZCOUNT', inflight, '-inf', now)
local oldest = redis.call('ZRANGE', since, 0, 0, 'WITHSCORES')
local reply = {
  redis.call('LLEN', ready) + redis.call('LLEN', retry) + due + over,
  redis.call('ZCARD', delayed) - due, redis.call('ZCARD', inflight) - over,
  redis.call('ZCARD', dead), oldest[2] and math.max(now - oldest[2], 0) or -1,
}
before_writing()
renew()
return reply
