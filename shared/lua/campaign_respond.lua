-- @include guard campaign
-- Adds responses to a campaign.
--
-- KEYS[1]  responses
-- KEYS[2]  once           of the request
-- ARGV[1]  ttl_s          of the responses
-- ARGV[2]  once_ttl_s
-- ARGV[3]  responses_max  of the campaign
-- ARGV     responses, at most 500
--
-- Returns {length}, or {-1, length} if there would be more than responses_max.

local FIRST = 4
local responses, once = KEYS[1], KEYS[2]
local len = redis.call('LLEN', responses)
before_writing('RPUSH', responses, 'DEL', once, 'EXPIRE', responses)
if is_repeat(once, ARGV[2]) then return {len} end
if len + #ARGV - FIRST + 1 > tonumber(ARGV[3]) then
  redis.call('DEL', once)
  return {-1, len}
end
if #ARGV >= FIRST then
  len = redis.call('RPUSH', responses, unpack(ARGV, FIRST))
  redis.call('EXPIRE', responses, ARGV[1])
end
return {len}
