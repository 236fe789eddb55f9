-- What a queue holds.
--
-- Returns {ready, delayed, in flight, dead, age_ms}. What is due, or whose visibility timeout is over,
-- counts as ready: the next receive serves it. age_ms is that of the oldest message that has an id
-- (received before, or sent with a delay); -1 when there is none.

local now = now_ms()
local due, over = redis.call('ZCOUNT', delayed, '-inf', now), redis.call('ZCOUNT', inflight, '-inf', now)
local oldest = redis.call('ZRANGE', since, 0, 0, 'WITHSCORES')
local reply = {
  redis.call('LLEN', ready) + redis.call('LLEN', retry) + due + over,
  redis.call('ZCARD', delayed) - due, redis.call('ZCARD', inflight) - over,
  redis.call('ZCARD', dead), oldest[2] and math.max(now - oldest[2], 0) or -1,
}
renew()
return reply
