-- @include guard queue
-- Reads a page of the dead letters, oldest first.
--
-- ARGV[3]  after  "<died ms>:<id>" of the last one seen; "" for the first page
-- ARGV[4]  limit
-- ARGV[5]  bytes_max  of the payloads, unless a single one is larger
--
-- Returns {more, id, died_ms, attempts, reason, payload, ...}.

local limit = tonumber(ARGV[4])
local after_ms, after_id = string.match(ARGV[3], '^(%d+):(.+)$')
local first = 0
if after_id then
  -- The entry's rank, or the rank it would have: it may have been redriven meanwhile.
  local rank = redis.call('ZRANK', dead, after_id)
  first = rank and rank + 1 or redis.call('ZCOUNT', dead, '-inf', after_ms)
end
local ids = redis.call('ZRANGE', dead, first, first + limit, 'WITHSCORES')
local reply, bytes_left = {#ids / 2 > limit and 1 or 0}, tonumber(ARGV[5])
for i = 1, math.min(#ids, 2 * limit), 2 do
  if bytes_left <= 0 then reply[1] = 1 break end
  local attempt, _, reason = parse_state(redis.call('HGET', states, ids[i]))
  local payload = redis.call('HGET', payloads, ids[i]) or ''
  bytes_left = bytes_left - #payload
  for _, value in ipairs({ids[i], ids[i + 1], attempt or 0, reason or '', payload}) do
    reply[#reply + 1] = value
  end
end
before_writing()
renew()
return reply
