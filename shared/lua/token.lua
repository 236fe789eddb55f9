-- Prelude of the token scripts, for many users: users.lua. KEYS are token, companion.
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
