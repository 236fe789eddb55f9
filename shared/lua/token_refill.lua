-- @include guard users token
-- Restores push tokens that Redis lacks, or notes that there are none.
--
-- ARGV[1]  ttl_s     of a token
-- ARGV[2]  fence_s   of a companion
-- ARGV[3]  absent_s  time that an absence is cached
-- ARGV     rev, token  pairs, one per user: of the record's row, 0 for none; "" for no token
--
-- Returns per user the token in Redis afterwards, "" for none. A write in the meantime is later
-- than the read of the record and wins: a refill that raced a delete would restore the token for 270
-- days. A key that is not a string is left alone. Safe to repeat.

local function refill(key, companion, rev, token)
  local current = get(key)
  if type(current) == 'table' then return '' end
  if current then return current end
  local known_rev, is_absent = token_state(companion)
  if is_overtaken(companion, known_rev, rev, ARGV[2]) then return '' end
  if known_rev == tonumber(rev) and is_absent then return '' end
  if token == '' then
    note_absence(companion, rev, ARGV[3], ARGV[2])
  else
    redis.call('SET', key, token, 'EX', ARGV[1])
    note_token(companion, rev, token, ARGV[2])
  end
  return token
end

return for_users(3, 2, 1, function(i, key, companion)
  guard_slot_of(companion)
  before_writing()
  return refill(key, companion, ARGV[2 * i + 2], ARGV[2 * i + 3])
end)
