-- @include guard
-- Adds a worker's responses to those of a campaign, as many as fit.
--
-- KEYS[1]  responses      list
-- KEYS[2]  once           of the settlement
-- ARGV[1]  ttl_s          of the responses
-- ARGV[2]  once_ttl_s
-- ARGV[3]  responses_max  of the campaign
-- ARGV     responses
--
-- Returns {added}, as text.

local FIRST, CHUNK = 4, 500
local room = tonumber(ARGV[3]) - redis.call('LLEN', KEYS[1])
local last = math.min(#ARGV, FIRST - 1 + room)
if last < FIRST then return {'0'} end
before_writing('SET', KEYS[2], 'RPUSH', KEYS[1], 'EXPIRE', KEYS[1])
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[2]) then return {'0'} end
for i = FIRST, last, CHUNK do
  redis.call('RPUSH', KEYS[1], unpack(ARGV, i, math.min(i + CHUNK - 1, last)))
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return {string.format('%d', last - FIRST + 1)}
