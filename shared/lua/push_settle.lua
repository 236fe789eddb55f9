-- @include allow_oom guard campaign push
-- Notes what became of users in a block, and renews its block lease. A repeat changes nothing. A
-- Redis without memory takes it, too: what was sent would be sent again otherwise.
--
-- ARGV[2]   block
-- ARGV[3]   owner
-- ARGV[4]   seq        of the settlement: 1, 2, 3…
-- ARGV[5]   lease_ms
-- ARGV[6]   bits       of the block's elements, 1 for each that has ended; "" if all have: the
--                      block is removed
-- ARGV[7]   sent       since the last settlement, as the next ones
-- ARGV[8]   failed
-- ARGV[9]   invalid
-- ARGV[10]  skipped
-- ARGV[11]  reason     pauses the push, if it is running; "" for none
-- ARGV[12]  dead_max   dead letters kept
-- ARGV[13]  later      number of items for another attempt
-- ARGV      wait_ms, item, wait_ms, item…; then items that are dead
--
-- Returns {1, state, rev}; {0, …} if the block is not this owner's or is gone. All are texts. Items
-- of a cancelled push count as skipped.

local FIRST = 14
local block, owner, seq = ARGV[2], ARGV[3], tonumber(ARGV[4])
local known =
  redis.call('HMGET', push, 'state', 'rev', 'speed', 'speed_ms', 'speed_from_ms')
local state, rev = known[1], known[2]
-- A node that has only a part of the slot may lack the block.
before_writing()
local owner_there, seq_there, retries = header_of(block)
if not state or owner_there ~= owner then return {'0', state or 'none', rev or '0'} end
if seq <= seq_there then return {'1', state, rev} end

before_writing('HINCRBY', push, 'HSET', push, 'LSET', key_of(block), 'DEL', key_of(block),
  'ZADD', blocks, 'ZREM', blocks, 'ZCARD', blocks, 'ZADD', retry, 'ZCARD', retry, 'LLEN', dead,
  'RPUSH', dead, 'LLEN', list, 'EXPIRE', list)
local now = now_ms()
local later = tonumber(ARGV[13])
local first_dead = FIRST + 2 * later
local skipped = tonumber(ARGV[10])
if state == 'cancelled' then skipped = skipped + later end

local ended = ARGV[7] + ARGV[8] + ARGV[9] + skipped
local counts = {sent = ARGV[7], failed = ARGV[8], invalid = ARGV[9], skipped = skipped}
for name, count in pairs(counts) do
  if tonumber(count) > 0 then redis.call('HINCRBY', push, name, count) end
end
if ended > 0 then
  local number, from_ms =
    speed(tonumber(known[3]), tonumber(known[4]), tonumber(known[5]), now)
  redis.call('HSET', push, 'speed', string.format('%.3f', number + ended), 'speed_ms', int(now),
    'speed_from_ms', int(from_ms))
end

if later > 0 and state ~= 'cancelled' then
  local items = {}
  for i = FIRST, first_dead - 1, 2 do
    items[#items + 1] = int(now + tonumber(ARGV[i]))
    items[#items + 1] = ARGV[i + 1]
  end
  for i = 1, #items, CHUNK do
    redis.call('ZADD', retry, unpack(items, i, math.min(i + CHUNK - 1, #items)))
  end
end
local room = tonumber(ARGV[12]) - redis.call('LLEN', dead)
for i = first_dead, math.min(#ARGV, first_dead + room - 1) do redis.call('RPUSH', dead, ARGV[i]) end

if ARGV[6] == '' then
  redis.call('DEL', key_of(block))
  redis.call('ZREM', blocks, block)
else
  redis.call('LSET', key_of(block), 0, header(owner, seq, retries, ARGV[6]))
  redis.call('ZADD', blocks, int(now + tonumber(ARGV[5])), block)
  redis.call('EXPIRE', key_of(block), ARGV[1])
end
if ARGV[11] ~= '' and state == 'running' then
  state = 'paused'
  redis.call('HSET', push, 'state', state, 'reason', ARGV[11])
elseif state == 'running' and is_over(redis.call('LLEN', list)) then
  state = 'done'
  redis.call('HSET', push, 'state', state)
end
redis.call('EXPIRE', list, ARGV[1])
renew_push()
return {'1', state, rev}
