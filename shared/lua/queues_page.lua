-- @include guard
-- Reads a page of the index of queues.
--
-- KEYS[1]  names    see queues_touch.lua
-- KEYS[2]  touched
-- ARGV[1]  after    the names after this one; empty: from the first
-- ARGV[2]  limit    names examined
-- ARGV[3]  keep_s   a name counts for so long after the last use
--
-- Returns {next, name...}: `next` is the last name examined if there are more, else empty.

local from = ARGV[1] == '' and '-' or '(' .. ARGV[1]
local limit = tonumber(ARGV[2])
local names = redis.call('ZRANGEBYLEX', KEYS[1], from, '+', 'LIMIT', 0, limit + 1)
if #names == 0 then return {''} end
local reply = {''}
if #names > limit then
  reply[1] = names[limit]
  names[limit + 1] = nil
end
local times = redis.call('ZMSCORE', KEYS[2], unpack(names))
local since = redis.call('TIME')[1] - ARGV[3]
for i, name in ipairs(names) do
  if not times[i] then
    before_writing()
    -- Somebody deleted the times. A Redis that accepts no writes still answers.
    redis.pcall('ZREM', KEYS[1], name)
  elseif tonumber(times[i]) > since then
    reply[#reply + 1] = name
  end
end
return reply
