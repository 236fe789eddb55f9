-- Hands out messages: first gives back those whose visibility timeout is over, promotes delayed ones
-- that are due, and serves what waits to be received again; then takes from the ready list. So no
-- worker is needed that does it in the background.
--
-- ARGV[3]  max             messages to hand out
-- ARGV[4]  visibility_ms
-- ARGV[5]  receives_max    after so many a message goes to the dead letters instead
-- ARGV[6]  recover_max     bound for what is given back and what is promoted
--
-- Returns receipt, payload, receipt, payload, ...

local max, receives_max, recover_max = tonumber(ARGV[3]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now = now_ms()
local deadline = now + tonumber(ARGV[4])

for _, id in ipairs(redis.call('ZRANGEBYSCORE', inflight, '-inf', now, 'LIMIT', 0, recover_max)) do
  local attempt, limit = parse_state(redis.call('HGET', states, id))
  give_back(id, attempt or 0, limit or receives_max, 'visibility timeout', now, now)
end
local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', now, 'LIMIT', 0, recover_max)
if #due > 0 then
  call_many('RPUSH', retry, due)
  call_many('ZREM', delayed, due)
end

local reply, in_states, in_inflight = {}, {}, {}
local function hand_out(id, attempt, payload)
  reply[#reply + 1] = id .. ':' .. string.format('%d', attempt)
  reply[#reply + 1] = payload
  in_states[#in_states + 1] = id
  in_states[#in_states + 1] = string.format('%d %d ', attempt, receives_max)
  in_inflight[#in_inflight + 1] = deadline
  in_inflight[#in_inflight + 1] = id
end

local again = redis.call('LRANGE', retry, 0, max - 1)
if #again > 0 then
  local texts, bodies = redis.call('HMGET', states, unpack(again)),
    redis.call('HMGET', payloads, unpack(again))
  for i, id in ipairs(again) do
    if bodies[i] then hand_out(id, (parse_state(texts[i]) or 0) + 1, bodies[i]) end
  end
end

-- The first write may be refused by a server that is full; nothing is lost then.
local waiting = math.min(max - #again, redis.call('LLEN', ready))
if waiting > 0 then
  local ids = fresh_ids(waiting)
  local bodies = redis.call('LPOP', ready, waiting)
  local in_payloads, in_since = {}, {}
  for i, body in ipairs(bodies) do
    local id = ids[i]
    hand_out(id, 1, body)
    in_payloads[2 * i - 1], in_payloads[2 * i] = id, body
    in_since[2 * i - 1], in_since[2 * i] = now, id
  end
  call_many('HSET', payloads, in_payloads)
  call_many('ZADD', since, in_since)
end
call_many('HSET', states, in_states)
call_many('ZADD', inflight, in_inflight)
if #again > 0 then redis.call('LTRIM', retry, #again, -1) end
renew()
return reply
