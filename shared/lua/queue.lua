-- Prelude of the queue scripts.
--
-- KEYS[1]  ready     the queue itself: list of bare payloads, FIFO; other services use it, too
-- KEYS[2]  meta      hash: epoch (the queue epoch: random, from the creation of the queue),
--                    id (last one given)
-- KEYS[3]  retry     list of ids: to be received again, before the ready list
-- KEYS[4]  inflight  zset id -> deadline, ms
-- KEYS[5]  delayed   zset id -> due, ms
-- KEYS[6]  dead      zset id -> time of death, ms
-- KEYS[7]  since     zset id -> time of the delayed send or first receive; not for dead ones
-- KEYS[8]  payloads  hash id -> payload
-- KEYS[9]  states    hash id -> "attempt receives_max reason"
--
-- ARGV[1]  ttl_s     expiry of all of them, renewed by every operation
-- ARGV[2]  epoch     random word, the queue epoch if there is none yet
--
-- A message gets an id when it leaves the ready list, or is sent with a delay: the queue epoch,
-- the number of digits as a letter, and a number. A receipt from before a flush matches no later
-- message, and ids sort as text in the order of creation, which orders equal scores of a zset. Ids
-- of an older version lack the letter. They are kept, and sort before the newer ones. A receipt is
-- "id:attempt".

local ready, meta, retry, inflight, delayed, dead, since, payloads, states = unpack(KEYS, 1, 9)

-- Rejects a ready list of another type before any write: the expiry of a foreign key is not ours to
-- renew.
redis.call('LLEN', ready)

-- Lua's stack holds some thousand values.
local CHUNK = 500

-- Milliseconds since the Unix epoch.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Calls a command with many arguments in chunks.
local function call_many(command, key, values)
  for first = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, first, math.min(first + CHUNK - 1, #values)))
  end
end

local function renew()
  for i = 1, 9 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
end

-- An id; the letter makes 9 sort before 10.
local function id_of(epoch, number)
  local digits = string.format('%d', number)
  return epoch .. string.char(96 + #digits) .. digits
end

-- `count` new ids. This is the first write of the scripts that remove elements from a list: a full
-- server rejects it, and nothing is lost.
local function fresh_ids(count)
  redis.call('HSETNX', meta, 'epoch', ARGV[2])
  local last = redis.call('HINCRBY', meta, 'id', count)
  local epoch, ids = redis.call('HGET', meta, 'epoch'), {}
  for i = 1, count do ids[i] = id_of(epoch, last - count + i) end
  return ids
end

-- Attempt, limit and reason of a state; nil if missing or malformed.
local function parse_state(text)
  local attempt, receives_max, reason = string.match(text or '', '^(%d+) (%d+) (.*)$')
  return tonumber(attempt), tonumber(receives_max), reason
end

local function set_state(id, attempt, receives_max, reason)
  redis.call('HSET', states, id,
    string.format('%d %d ', attempt, receives_max) .. reason)
end

-- Called before `give_back`, and before promoting delayed messages.
local function before_giving_back()
  before_writing('HGET', states, 'ZREM', inflight, 'HSET', states, 'ZADD', dead, 'RPUSH', retry,
    'EXPIRE', meta)
end

-- Takes a message out of flight: to be received again, or dead after the last allowed receive.
local function give_back(id, attempt, receives_max, reason, now, due)
  redis.call('ZREM', inflight, id)
  set_state(id, attempt, receives_max, reason)
  if attempt >= receives_max then
    redis.call('ZADD', dead, now, id)
    redis.call('ZREM', since, id)
  elseif due > now then
    redis.call('ZADD', delayed, due, id)
  else
    redis.call('RPUSH', retry, id)
  end
end

-- Calls `each(id, attempt, receives_max, reason)` for the valid receipts from ARGV[first] on: those
-- of a message in flight under that attempt. Returns the reply {done count, done..., stale...}.
local function for_receipts(first, each)
  local count = #ARGV - first + 1
  if count < 1 then return {0} end
  local ids, attempts = {}, {}
  for i = 1, count do
    local id, attempt = string.match(ARGV[first + i - 1], '^(.+):(%d+)$')
    ids[i], attempts[i] = id or '', tonumber(attempt)
  end
  local texts = redis.call('HMGET', states, unpack(ids))
  local deadlines = redis.call('ZMSCORE', inflight, unpack(ids))
  local reply, stale, seen = {0}, {}, {}
  for i = 1, count do
    local attempt, receives_max, reason = parse_state(texts[i])
    if attempt and attempt == attempts[i] and deadlines[i] and not seen[ids[i]] then
      seen[ids[i]] = true
      each(ids[i], attempt, receives_max, reason)
      reply[#reply + 1] = ARGV[first + i - 1]
    else
      stale[#stale + 1] = ARGV[first + i - 1]
    end
  end
  reply[1] = #reply - 1
  for i = 1, #stale do reply[#reply + 1] = stale[i] end
  return reply
end
