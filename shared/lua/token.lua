-- In front of the token_* scripts. The companion of a push token is "<rev> <until>": the revision of
-- the record's row that Redis was brought to, and the time (Unix, s) until which it is known that the
-- user has no token. A write of a lower revision was overtaken, and is refused.

local now_s = tonumber(redis.call('TIME')[1])

-- Revision (0: not known) and whether the user is known to have no token.
local function token_state(companion)
  local text = redis.pcall('GET', companion)
  if type(text) ~= 'string' then return 0, false end
  local rev, until_s = string.match(text, '^(%d+) (%d+)$')
  return tonumber(rev) or 0, (tonumber(until_s) or 0) > now_s
end

-- `rev` is text: as a number it would come out in scientific notation.
local function note_token(companion, rev, absent_s, fence_s)
  local until_s = absent_s > 0 and now_s + absent_s or 0
  redis.call('SET', companion, string.format('%s %d', rev, until_s), 'EX', fence_s)
end
