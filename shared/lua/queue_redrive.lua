-- @include guard queue
-- Returns dead letters to the ready list, as bare payloads with a new count of receives.
--
-- ARGV[3]    limit  maximum number, oldest first, if no ids are given
-- ARGV[4..]  ids
--
-- Returns {redriven}.

local wanted = {unpack(ARGV, 4)}
if #wanted == 0 then wanted = redis.call('ZRANGE', dead, 0, ARGV[3] - 1) end
local ids, bodies, seen = {}, {}, {}
for _, id in ipairs(wanted) do
  -- An id given twice counts once.
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
