-- @include guard queue
-- Appends messages.
--
-- KEYS[10]  once       marks this request as executed: it is repeated if its connection breaks
-- KEYS[11]  dedup      marks the call's dedup id as used; only if there is one
-- ARGV[3]   delay_ms   0: at once, onto the ready list
-- ARGV[4]   once_s     lifetime of `once`
-- ARGV[5]   dedup_s    lifetime of `dedup`
-- ARGV[6..] payloads, JSON text
--
-- Returns {accepted, duplicate}: {0, 1} if the dedup id was used before.

local count = #ARGV - 5
if ARGV[3] == '0' then
  before_writing('RPUSH', ready, 'EXPIRE', meta)
else
  before_writing('HGET', meta, 'HINCRBY', meta, 'HSETNX', meta, 'HSET', payloads, 'ZADD', delayed,
    'EXPIRE', meta)
end
local now = ARGV[3] ~= '0' and now_ms()
if KEYS[11] then
  -- A repeat of an executed request is not a duplicate; `once` is set only after this check, so
  -- that a repeat of a duplicate stays one.
  if redis.call('EXISTS', KEYS[10]) == 1 then return {count, 0} end
  if not redis.call('SET', KEYS[11], 1, 'NX', 'EX', ARGV[5]) then
    -- Another service has written it: it would reject every message with this id for ever.
    if redis.pcall('TTL', KEYS[11]) == -1 then redis.pcall('EXPIRE', KEYS[11], ARGV[5]) end
    return {0, 1}
  end
end
if not redis.call('SET', KEYS[10], 1, 'NX', 'EX', ARGV[4]) then return {count, 0} end

local payloads_sent = {unpack(ARGV, 6)}
if ARGV[3] == '0' then
  call_many('RPUSH', ready, payloads_sent)
else
  local ids = fresh_ids(count)
  local due = now + tonumber(ARGV[3])
  local in_payloads, in_states, in_delayed, in_since = {}, {}, {}, {}
  for i, id in ipairs(ids) do
    local k = 2 * i - 1
    in_payloads[k], in_payloads[k + 1] = id, payloads_sent[i]
    in_states[k], in_states[k + 1] = id, '0 0 '
    in_delayed[k], in_delayed[k + 1] = due, id
    in_since[k], in_since[k + 1] = now, id
  end
  call_many('HSET', payloads, in_payloads)
  call_many('HSET', states, in_states)
  call_many('ZADD', delayed, in_delayed)
  call_many('ZADD', since, in_since)
end
renew()
return {count, 0}
