-- @include guard queue
-- Receives messages: first returns those whose visibility timeout is over, promotes delayed ones
-- that are due, and serves the messages to be received again; then takes from the ready list. So no
-- background worker is needed.
--
-- ARGV[3]  max             messages to receive
-- ARGV[4]  visibility_ms
-- ARGV[5]  receives_max    receives after which a message becomes a dead letter
-- ARGV[6]  recover_max     maximum number of messages returned, and of messages promoted
-- ARGV[7]  bytes_max       approximate bytes of all payloads, unless a single one is larger: an
--                          answer too long to arrive in time would be received again and again
--
-- Returns receipt, payload, receipt, payload, ...

local max, receives_max, recover_max = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local bytes_left = tonumber(ARGV[7])
local now = now_ms()
local deadline = now + tonumber(ARGV[4])

before_writing()
local over = redis.call('ZRANGEBYSCORE', inflight, '-inf', now, 'LIMIT', 0, recover_max)
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, recover_max)
if #over > 0 or #due > 0 then before_giving_back() end
for _, id in ipairs(over) do
  local attempt, limit = parse_state(redis.call('HGET', states, id))
  give_back(id, attempt or 0, limit or receives_max, 'visibility timeout', now, now)
end
if #due > 0 then
  call_many('RPUSH', retry, due)
  call_many('ZREM', delayed, due)
end

local reply, in_states, in_inflight = {}, {}, {}
local function hand_out(id, attempt, payload)
  bytes_left = bytes_left - #payload
  reply[#reply + 1] = id .. ':' .. string.format('%d', attempt)
  reply[#reply + 1] = payload
  in_states[#in_states + 1] = id
  in_states[#in_states + 1] = string.format('%d %d ', attempt, receives_max)
  in_inflight[#in_inflight + 1] = deadline
  in_inflight[#in_inflight + 1] = id
end

local again = redis.call('LRANGE', retry, 0, max - 1)
local served = 0
for _, id in ipairs(again) do
  if bytes_left <= 0 then break end
  local payload = redis.call('HGET', payloads, id)
  if payload then
    hand_out(id, (parse_state(redis.call('HGET', states, id)) or 0) + 1, payload)
  end
  served = served + 1
end
if served > 0 then
  before_writing('HSET', states, 'ZADD', inflight, 'LTRIM', retry, 'EXPIRE', meta)
end

-- A full server may reject the first write; nothing is lost then.
local waiting = math.min(max - served, redis.call('LLEN', ready))
if waiting > 0 and bytes_left > 0 and served == #again then
  before_writing('HGET', meta, 'LPOP', ready, 'HSET', payloads, 'ZADD', since,
    'EXPIRE', meta)
  local ids, taken = fresh_ids(waiting), 0
  local in_payloads, in_since = {}, {}
  -- One, then as many as should fit by the mean size so far.
  local count, bytes_before = 1, bytes_left
  while taken < waiting and bytes_left > 0 do
    for _, body in ipairs(redis.call('LPOP', ready, count)) do
      taken = taken + 1
      hand_out(ids[taken], 1, body)
      in_payloads[2 * taken - 1], in_payloads[2 * taken] = ids[taken], body
      in_since[2 * taken - 1], in_since[2 * taken] = now, ids[taken]
    end
    local mean = math.max((bytes_before - bytes_left) / taken, 1)
    count = math.max(math.min(waiting - taken, math.floor(bytes_left / mean)), 1)
  end
  call_many('HSET', payloads, in_payloads)
  call_many('ZADD', since, in_since)
end
call_many('HSET', states, in_states)
call_many('ZADD', inflight, in_inflight)
if served > 0 then redis.call('LTRIM', retry, served, -1) end
renew()
return reply
