-- @include guard campaign
-- Returns a campaign's progress.
--
-- KEYS[3]  responses      list; missing on a cluster, which keeps it in another slot
-- ARGV[1]  ttl_s          of a list that another service created without an expiry
-- ARGV[2]  responses      without KEYS[3]: the length of that list
-- ARGV[3]  expires_at_ms  and its expiry, see campaign_responses.lua
--
-- Returns {exists, remaining, processed, responses, expires_at_ms}. expires_at_ms is that of the
-- list, or of the campaign's other keys once the list is empty.

local responses = KEYS[3]
local len, processed = look()
local came_back = responses and redis.call('LLEN', responses) or tonumber(ARGV[2])
if len + came_back == 0 and redis.call('EXISTS', companion) == 0 then return {0} end
before_writing()
-- Noted now, since the difference is not visible later. A Redis that accepts no writes can still be
-- read.
pcall(function()
  note(len, processed, ARGV[1])
  if len > 0 then expire_if_eternal(list, ARGV[1]) end
  if responses and came_back > 0 then expire_if_eternal(responses, ARGV[1]) end
end)
local expires_at_ms = redis.call('PEXPIRETIME', list)
if len == 0 then
  local of_responses = responses and redis.call('PEXPIRETIME', responses) or tonumber(ARGV[3])
  expires_at_ms = math.max(of_responses, redis.call('PEXPIRETIME', companion))
end
return {1, len, processed, came_back, expires_at_ms}
