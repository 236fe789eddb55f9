-- @include guard campaign push
-- Puts dead letters back, oldest first: they are due at once, with all their attempts. A push that
-- was done runs again.
--
-- ARGV[2]  limit
--
-- Returns {redriven, left}, or {-1, 0} if there is no push or it was cancelled.

local state = redis.call('HGET', push, 'state')
if not state or state == 'cancelled' then return {-1, 0} end
local count = math.min(redis.call('LLEN', dead), tonumber(ARGV[2]))
if count == 0 then return {0, 0} end
before_writing('HGET', push, 'HSET', push, 'LPOP', dead, 'ZADD', retry, 'EXPIRE', push)
local now = now_ms()
local failed = tonumber(redis.call('HGET', push, 'failed')) or 0
redis.call('HSET', push, 'failed', int(math.max(failed - count, 0)))
local items = {}
for _, item in ipairs(redis.call('LPOP', dead, count)) do
  items[#items + 1] = int(now)
  items[#items + 1] = string.gsub(item, '^(%S+) %d+ %d+ ', '%1 0 ' .. int(now) .. ' ', 1)
end
for i = 1, #items, CHUNK do
  redis.call('ZADD', retry, unpack(items, i, math.min(i + CHUNK - 1, #items)))
end
if state == 'done' then redis.call('HSET', push, 'state', 'running') end
redis.call('EXPIRE', list, ARGV[1])
renew_push()
return {count, redis.call('LLEN', dead)}
