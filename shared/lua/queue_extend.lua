-- @include guard queue
-- Extends the visibility timeout of messages in flight.
--
-- ARGV[3]    visibility_ms  from now
-- ARGV[4..]  receipts
--
-- Returns {done count, done..., stale...}, as queue_ack.

local deadline, deadlines = now_ms() + tonumber(ARGV[3]), {}
local reply = for_receipts(4, function(id)
  deadlines[#deadlines + 1] = deadline
  deadlines[#deadlines + 1] = id
end)
before_writing()
call_many('ZADD', inflight, deadlines)
renew()
return reply
