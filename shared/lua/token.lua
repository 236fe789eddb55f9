-- Prelude of the token scripts.
--
-- KEYS  token, companion  pairs, one per user. On a cluster, where KEYS must be of one slot, a call
--       may also be for users of other slots of the same node: their pairs are at the end of ARGV,
--       behind the arguments of all users. Redis lets scripts without "#!lua" access several slots.
--
-- A user of KEYS raises an error if the slot moves. The answer for one of ARGV whose slot is on
-- another node or moves is nil, and nothing was written: ask for that user alone.
--
-- The companion of a push token is "<rev> <until> <sha1>": the
-- revision of the record's row that Redis was updated to, the time (Unix, s) until which it is
-- known that the user has no token, and the SHA-1 of the written token, "-" for none. A write of a
-- lower revision was overtaken and is rejected.

local now_s = tonumber(redis.call('TIME')[1])

-- A string, nil, or an error for a key of another type. Other errors are raised.
local function get(key)
  local text = redis.pcall('GET', key)
  if type(text) == 'table' and not string.find(text.err, '^WRONGTYPE') then error(text) end
  return text
end

-- Revision (0: unknown), whether the user is known to have no token, SHA-1.
local function token_state(companion)
  local text = get(companion)
  if type(text) ~= 'string' then return 0, false, '-' end
  local rev, until_s, sha1 = string.match(text, '^(%d+) (%d+) (%S+)$')
  return tonumber(rev) or 0, (tonumber(until_s) or 0) > now_s, sha1 or '-'
end

-- Whether a later revision was written before. A companion to which another service has left no
-- expiry gets one: it would reject all writes for ever.
local function is_overtaken(companion, known_rev, rev, fence_s)
  if known_rev <= tonumber(rev) then return false end
  if redis.pcall('TTL', companion) == -1 then redis.pcall('EXPIRE', companion, fence_s) end
  return true
end

-- `rev` is text, because a number would be formatted in scientific notation.
local function note_token(companion, rev, token, fence_s)
  local state = string.format('%s 0 %s', rev, redis.sha1hex(token))
  redis.call('SET', companion, state, 'EX', fence_s)
end

local function note_absence(companion, rev, absent_s, fence_s)
  redis.call('SET', companion, string.format('%s %d -', rev, now_s + absent_s), 'EX', fence_s)
end

-- Raises an error while the slot of a user's companion moves, as `before_writing` of guard.lua does
-- for those of KEYS.
local function require_settled_slot(companion)
  local found = redis.pcall('EXISTS', companion .. ':', companion .. '::')
  if found ~= 0 and string.find(found.err, 'non local key', 1, true) then error(found) end
end

-- Calls `act(i, key, companion)` for each user and returns the answers. ARGV begins with `fixed`
-- arguments of the call, and then has `each` of them for every user.
local function for_users(fixed, each, act)
  local count = (#ARGV - fixed + #KEYS) / (each + 2)
  local answers, given = {}, #KEYS / 2
  for i = 1, given do answers[i] = act(i, KEYS[2 * i - 1], KEYS[2 * i]) end
  for i = given + 1, count do
    local at = #ARGV - 2 * (count - i)
    local is_done, answer = pcall(act, i, ARGV[at - 1], ARGV[at])
    if not is_done then
      local is_elsewhere = string.find(answer, 'non local key', 1, true)
        or string.find(answer, '^TRYAGAIN')
      if not is_elsewhere then error(redis.error_reply(answer)) end
      answer = false
    end
    answers[i] = answer
  end
  return answers
end
