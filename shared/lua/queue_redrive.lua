-- Puts dead letters back onto the ready list, as bare payloads with all their chances again.
--
-- ARGV[3]    limit  at most so many, oldest first, when no ids are given
-- ARGV[4..]  ids
--
-- Returns {redriven}.

local wanted = {unpack(ARGV, 4)}
if #wanted == 0 then wanted = redis.call('ZRANGE', dead, 0, ARGV[3] - 1) end
local ids, bodies, seen = {}, {}, {}
for _, id in ipairs(wanted) do
  -- An id that is given twice is one message.
  local body = not seen[id] and redis.call('ZSCORE', dead, id) and redis.call('HGET', payloads, id)
  seen[id] = true
  if body then ids[#ids + 1], bodies[#bodies + 1] = id, body end
end
before_writing('RPUSH', ready, 'ZREM', dead, 'HDEL', payloads, 'EXPIRE', meta)
call_many('RPUSH', ready, bodies)
call_many('ZREM', dead, ids)
call_many('HDEL', payloads, ids)
call_many('HDEL', states, ids)
renew()
return {#ids}
