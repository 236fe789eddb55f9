-- Prelude of the scripts of a campaign's push. `campaign` stands in front of it.
--
-- KEYS[1]  list       users who wait, see campaign.lua
-- KEYS[2]  companion
-- KEYS[3]  push       hash, below
-- KEYS[4]  blocks     zset block -> end of its block lease, ms
-- KEYS[5]  retry      zset item -> time of the next attempt, ms
-- KEYS[6]  dead       list of items whose attempts are used up, oldest first
-- KEYS[7]  prefix     of the blocks' keys: ":" and the block follow
-- ARGV[1]  ttl_s      of all of them, renewed by every call that changes something
--
-- A block holds users of one worker. It is a list: a header "owner seq retries bits", then its
-- elements. `owner` proves whose the block is, `seq` is the number of its last settlement. The
-- first `retries` elements are items, the others elements of the campaign's list. A 1 in `bits`
-- stands for an element that has ended; the elements stay until all have.
--
-- An item is "key attempts first_ms is_sent[:entry] devices element"; entry is the id of what was
-- written to the user's feed, and the key tells equal elements apart.
--
-- The hash: state (running paused cancelled done), reason, rev (grows with each change of the
-- options), options (JSON), rate (users per second), start_ms; sent failed invalid skipped; of the
-- token bucket ramp_ms (its start), tokens, filled_ms; of the speed speed, speed_ms, speed_from_ms.

local push, blocks, retry, dead, prefix = unpack(KEYS, 3, 7)

local CHUNK = 500 -- Lua's stack holds some thousand values

-- Milliseconds since the Unix epoch.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function key_of(block) return prefix .. ':' .. block end

local function int(number) return string.format('%d', number) end

-- Owner, seq, number of retries and bits; nothing if the block is gone.
local function header_of(block)
  local header = redis.call('LINDEX', key_of(block), 0)
  local owner, seq, retries, bits = string.match(header or '', '^(%S+) (%d+) (%d+) ([01]+)$')
  return owner, tonumber(seq), tonumber(retries), bits
end

local function header(owner, seq, retries, bits)
  return table.concat({owner, int(seq), int(retries), bits}, ' ')
end

local function open_in(bits)
  local _, count = string.gsub(bits, '0', '0')
  return count
end

-- Whether no user is left.
local function is_over(len)
  return len == 0 and redis.call('ZCARD', blocks) == 0 and redis.call('ZCARD', retry) == 0
end

local function renew_push()
  for i = 2, 6 do redis.call('EXPIRE', KEYS[i], ARGV[1]) end
end

-- Users who ended per second: their number decays with a time constant of 10 s. `speed_from_ms` is
-- the begin of the counting, since the sum is too low at first.
local TAU_MS = 10000
local FORGOTTEN_MS = 60000

local function speed(known, at_ms, from_ms, now)
  local elapsed = now - (at_ms or now)
  if not known or elapsed > FORGOTTEN_MS then return 0, now end
  return known * math.exp(-math.max(elapsed, 0) / TAU_MS), from_ms
end

-- Per second, from the decayed number.
local function per_second(number, from_ms, now)
  local part = 1 - math.exp(-math.max(now - from_ms, 1000) / TAU_MS)
  return number / (TAU_MS / 1000) / part
end

-- {state, reason, waiting, claimed, retrying, sent, failed, invalid, skipped, users per 1000 s,
-- rate, ms until the start}, all as texts; state "none" if there is no push.
local function progress(len, now)
  local known = redis.call('HMGET', push, 'state', 'reason', 'sent', 'failed', 'invalid', 'skipped',
    'rate', 'start_ms', 'speed', 'speed_ms', 'speed_from_ms')
  if not known[1] then return {'none', '', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0'} end
  local claimed = 0
  for _, block in ipairs(redis.call('ZRANGE', blocks, 0, -1)) do
    local _, _, _, bits = header_of(block)
    if bits then claimed = claimed + open_in(bits) end
  end
  local wait = math.max((tonumber(known[8]) or 0) - now, 0)
  local state = known[1]
  if state == 'running' and wait > 0 then state = 'scheduled' end
  local number, from_ms =
    speed(tonumber(known[9]), tonumber(known[10]), tonumber(known[11]), now)
  local reply = {state, known[2] or '', int(len), int(claimed), int(redis.call('ZCARD', retry))}
  for i = 3, 6 do reply[#reply + 1] = known[i] or '0' end
  reply[#reply + 1] = state == 'running' and int(per_second(number, from_ms, now) * 1000) or '0'
  reply[#reply + 1] = known[7] or '0'
  reply[#reply + 1] = int(wait)
  return reply
end
