-- @include guard queue
-- Removes processed messages.
--
-- ARGV[3..]  receipts
--
-- Returns {done count, done..., stale...}. A receipt is stale if its message was acknowledged,
-- returned, received again or died meanwhile.

local ids = {}
local reply = for_receipts(3, function(id) ids[#ids + 1] = id end)
before_writing('ZREM', inflight, 'HDEL', payloads, 'EXPIRE', meta)
call_many('ZREM', inflight, ids)
call_many('ZREM', since, ids)
call_many('HDEL', payloads, ids)
call_many('HDEL', states, ids)
renew()
return reply
