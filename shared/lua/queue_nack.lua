-- @include guard queue
-- Returns messages: to be received again at once or later, or to the dead letters.
--
-- ARGV[3]    delay_ms
-- ARGV[4]    reason    kept with the message
-- ARGV[5]    dead      "1": to the dead letters at once, for messages that cannot be processed
-- ARGV[6..]  receipts
--
-- Returns {done count, done..., stale...}, as queue_ack.

before_giving_back()
local now = now_ms()
local due = now + tonumber(ARGV[3])
local reply = for_receipts(6, function(id, attempt, receives_max)
  if ARGV[5] == '1' then receives_max = attempt end
  give_back(id, attempt, receives_max, ARGV[4], now, due)
end)
renew()
return reply
