-- Forgets messages that were dealt with.
--
-- ARGV[3..]  receipts
--
-- Returns {done count, done..., stale...}. A receipt is stale when its message was acknowledged, given
-- back, received again or died meanwhile.

local ids = {}
local reply = for_receipts(3, function(id) ids[#ids + 1] = id end)
before_writing('ZREM', inflight, 'HDEL', payloads, 'EXPIRE', meta)
call_many('ZREM', inflight, ids)
call_many('ZREM', since, ids)
call_many('HDEL', payloads, ids)
call_many('HDEL', states, ids)
renew()
return reply
