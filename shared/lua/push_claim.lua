-- @include guard campaign push
-- Gives users to a worker: first a whole block whose worker went silent, then users whose next
-- attempt is due, then new ones from the list. Never more than the rate allows: a bucket of one
-- second, whose rate rises over the ramp from zero; the ramp begins again after a break of the same
-- length. Nothing while the push is paused or cancelled, or before its start.
--
-- A repeat, after its answer was lost, gets the same block again, unless another worker has it by
-- now: then nothing.
--
-- ARGV[2]  nonce       of this claim: names its block, and its owner
-- ARGV[3]  max         users
-- ARGV[4]  lease_ms
-- ARGV[5]  ramp_ms
-- ARGV[6]  rev         of the options that the worker has
-- ARGV[7]  blocks_max  under way
-- ARGV[8]  bytes_max   of the elements, unless a single one is larger; checked every 100
--
-- Returns {state, reason, wait_ms, rev, options, now_ms}, and with users {…, block, is_doubtful,
-- retries, bits, element…}: those elements of the block whose bit is 0. All are texts. options is
-- "" if the worker has them. wait_ms is the time until another claim may give something, -1 if
-- nothing will come.

local nonce, max = ARGV[2], tonumber(ARGV[3])
local lease_ms, ramp_ms = tonumber(ARGV[4]), tonumber(ARGV[5])
local IDLE_MS, FULL_MS, POPPED_AT_ONCE, CLEANED_MAX = 1000, 100, 100, 10
local now = now_ms()
local known = redis.call('HMGET', push, 'state', 'reason', 'rev', 'rate', 'start_ms', 'ramp_ms',
  'tokens', 'filled_ms')
local state, rev = known[1] or 'none', known[3] or '0'
local rate, start_ms = (tonumber(known[4]) or 1) / 1000, tonumber(known[5]) or 0

local function reply(wait_ms)
  local options = rev ~= ARGV[6] and redis.call('HGET', push, 'options') or ''
  return {state, known[2] or '', int(wait_ms), rev, options, int(now)}
end

local function with_block(answer, block, doubt, retries, bits, elements)
  local a1, a2, a3, a4, a5, a6 = unpack(answer)
  return {a1, a2, a3, a4, a5, a6, block, doubt, int(retries), bits, unpack(elements)}
end

-- Counts the users of silent workers as skipped.
local function clean()
  local over = redis.call('ZRANGEBYSCORE', blocks, '-inf', now, 'LIMIT', 0, CLEANED_MAX)
  if #over == 0 then return end
  before_writing('HINCRBY', push, 'DEL', key_of('-'), 'ZREM', blocks)
  for _, block in ipairs(over) do
    local _, _, _, bits = header_of(block)
    redis.call('HINCRBY', push, 'skipped', open_in(bits or ''))
    redis.call('DEL', key_of(block))
    redis.call('ZREM', blocks, block)
  end
end

-- The blocks' keys are not among KEYS: a node that has only a part of the slot lacks some.
before_writing()
local owner, _, retries, bits = header_of(nonce)
if owner == nonce then
  local elements = redis.call('LRANGE', key_of(nonce), 1, -1)
  return with_block(reply(0), nonce, '0', retries, bits, elements)
end
-- The answer was lost for so long that another worker has the block: the next claim gets others.
if owner then return reply(1) end
if state == 'cancelled' then
  clean()
  return reply(redis.call('ZCARD', blocks) > 0 and IDLE_MS or -1)
elseif state == 'paused' then
  -- A pause may last: with the rest, the blocks of workers that went silent before it.
  for _, block in ipairs(redis.call('ZRANGE', blocks, 0, -1)) do
    redis.call('EXPIRE', key_of(block), ARGV[1])
  end
  redis.call('EXPIRE', list, ARGV[1])
  renew_push()
  return reply(IDLE_MS)
elseif state ~= 'running' then
  return reply(-1)
end
if now < start_ms then
  redis.call('EXPIRE', list, ARGV[1])
  renew_push()
  state = 'scheduled'
  return reply(math.min(start_ms - now, IDLE_MS))
end

-- Users granted until `at` ms after the begin of the ramp: the area below it.
local function granted(at)
  local rising = math.min(at, ramp_ms)
  return rate * (rising * rising / (2 * ramp_ms) + (at - rising))
end

local ramp_at, tokens, filled = tonumber(known[6]), tonumber(known[7]), tonumber(known[8])
if not filled or now - filled > ramp_ms then ramp_at, tokens, filled = now, 1, now end
local since = math.max(now, filled) - ramp_at
local burst = math.max(rate * 1000 * math.min(since / ramp_ms, 1), 1)
tokens = math.min(tokens + granted(since) - granted(filled - ramp_at), burst)

-- Time until the bucket has `wanted`, at least 1 ms.
local function wait_for(wanted)
  local goal, top = granted(since) + math.min(wanted, burst) - tokens, granted(ramp_ms)
  local at = goal > top and ramp_ms + (goal - top) / rate or math.sqrt(2 * ramp_ms * goal / rate)
  return math.max(math.ceil(at - since), 1)
end

local function take(count)
  redis.call('HSET', push, 'ramp_ms', int(ramp_at), 'tokens', string.format('%.6f', tokens - count),
    'filled_ms', int(math.max(now, filled)))
  tokens = tokens - count
end

local function before_giving()
  before_writing('HSET', push, 'HGET', push, 'RPUSH', key_of(nonce), 'LSET', key_of(nonce),
    'LRANGE', key_of(nonce), 'ZREM', retry, 'LPOP', list, 'ZADD', blocks, 'ZREM', blocks,
    'HSET', companion, 'TTL', companion, 'EXPIRE', list)
end

local function keep(block)
  redis.call('ZADD', blocks, int(now + lease_ms), block)
  redis.call('EXPIRE', key_of(block), ARGV[1])
  redis.call('EXPIRE', list, ARGV[1])
  renew_push()
end

-- The pace at which a claim is worth its cost: ten a second.
local function pace() return wait_for(math.max(math.min(burst / 10, max), 1)) end

local silent = redis.call('ZRANGEBYSCORE', blocks, '-inf', now, 'LIMIT', 0, 1)[1]
if silent then
  local _, _, retries_there, bits_there = header_of(silent)
  local open = open_in(bits_there or '')
  -- A block may be larger than the bucket, if the rate was lowered: it is given on credit.
  local needed = math.min(open, burst)
  if tokens < needed then return reply(wait_for(needed)) end
  before_giving()
  take(open)
  if open == 0 then
    redis.call('ZREM', blocks, silent)
    return reply(1)
  end
  redis.call('LSET', key_of(silent), 0, header(nonce, 0, retries_there, bits_there))
  keep(silent)
  local elements = {}
  for i, element in ipairs(redis.call('LRANGE', key_of(silent), 1, -1)) do
    if string.byte(bits_there, i) == 48 then elements[#elements + 1] = element end
  end
  return with_block(reply(pace()), silent, '1', retries_there, bits_there, elements)
end

local len, processed = look()
if is_over(len) then
  state = 'done'
  redis.call('HSET', push, 'state', state)
  return reply(-1)
end
if redis.call('ZCARD', blocks) >= tonumber(ARGV[7]) then return reply(FULL_MS) end
local room = math.min(max, math.floor(tokens))
if room < 1 then
  -- The begin of the ramp must be kept.
  redis.call('HSET', push, 'ramp_ms', int(ramp_at), 'tokens', string.format('%.6f', tokens),
    'filled_ms', int(math.max(now, filled)))
  return reply(pace())
end
local items = redis.call('ZRANGEBYSCORE', retry, '-inf', now, 'LIMIT', 0, room)
local due, fresh = #items, math.min(room - #items, len)
if due + fresh == 0 then
  -- Something is in blocks or waits for its next attempt.
  local at = now + IDLE_MS
  for _, key in ipairs({retry, blocks}) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    at = math.min(at, tonumber(first[2]) or at)
  end
  return reply(math.max(at - now, 1))
end

before_giving()
take(due + fresh)
local bytes_left = tonumber(ARGV[8])
for _, item in ipairs(items) do bytes_left = bytes_left - #item end
local popped = 0
while popped < fresh and bytes_left > 0 do
  local some = redis.call('LPOP', list, math.min(fresh - popped, POPPED_AT_ONCE))
  for _, element in ipairs(some) do
    popped = popped + 1
    items[due + popped] = element
    bytes_left = bytes_left - #element
  end
end
-- Returned for the next claim: the bucket was emptied for users who do not fit.
if popped < fresh then take(popped - fresh) end
if popped > 0 then note(len - popped, processed + popped, ARGV[1]) end
bits = string.rep('0', #items)
redis.call('RPUSH', key_of(nonce), header(nonce, 0, due, bits), unpack(items))
if due > 0 then redis.call('ZREM', retry, unpack(items, 1, due)) end
keep(nonce)
return with_block(reply(pace()), nonce, '0', due, bits, items)
