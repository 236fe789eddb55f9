-- @include campaign
-- Returns a campaign's progress.
--
-- KEYS[3]  responses
-- ARGV[1]  ttl_s  of a list that another service created without an expiry
--
-- Returns {exists, remaining, processed, responses, expires_at_ms}. expires_at_ms is that of the
-- list, or of the campaign's other keys once the list is empty.

local responses = KEYS[3]
local len, processed = look()
local came_back = redis.call('LLEN', responses)
if len + came_back == 0 and redis.call('EXISTS', companion) == 0 then return {0} end
-- Noted now, since the difference is not visible later. A Redis that accepts no writes can still be
-- read.
pcall(function()
  note(len, processed, ARGV[1])
  if len > 0 then expire_if_eternal(list, ARGV[1]) end
  if came_back > 0 then expire_if_eternal(responses, ARGV[1]) end
end)
local expires_at_ms = redis.call('PEXPIRETIME', list)
if len == 0 then
  local others = {redis.call('PEXPIRETIME', responses), redis.call('PEXPIRETIME', companion)}
  expires_at_ms = math.max(others[1], others[2])
end
return {1, len, processed, came_back, expires_at_ms}
