-- @include guard users token
-- Writes changes of the record's push tokens, for many users in one call.
--
-- ARGV[1]  ttl_s     of a token
-- ARGV[2]  fence_s   of a companion
-- ARGV[3]  absent_s  time that an absence is cached
-- ARGV     verb, rev, token  triples, one per change:
--   set     the token is the user's
--   drop    this token is no longer the user's; another service's token stays. A rev of 0 says that
--           the record has another one: only the key is compared.
--   remove  the user has no token
--   erase   the same, and the key is deleted whatever it holds
--
-- Returns per change 1 (applied), 0 (nothing to do, or overtaken by a later revision) or -1 (the
-- key is not a string; the other changes are applied). Safe to repeat.

local function change(key, companion, verb, rev, token)
  local current = get(key)
  if type(current) == 'table' and verb ~= 'erase' then return -1 end
  if verb == 'drop' and rev == '0' then
    return current == token and redis.call('DEL', key) or 0
  end
  local known_rev, _, known_sha1 = token_state(companion)
  if is_overtaken(companion, known_rev, rev, ARGV[2]) then
    -- A later change does not remove the token that was there before it, unless it wrote this one.
    local is_left = verb == 'drop' and current == token and redis.sha1hex(token) ~= known_sha1
    return is_left and redis.call('DEL', key) or 0
  end
  if verb == 'set' then
    redis.call('SET', key, token, 'EX', ARGV[1])
    note_token(companion, rev, token, ARGV[2])
    return 1
  end
  -- The record has no token now: an older one of ours is deleted, another service's stays.
  local goes = verb ~= 'drop' or current == token
    or (current and redis.sha1hex(current) == known_sha1)
  local removed = current and goes and redis.call('DEL', key) or 0
  -- Noted even if nothing was removed, so that a refill from an earlier read of the record is
  -- rejected.
  note_absence(companion, rev, ARGV[3], ARGV[2])
  return removed
end

return for_users(3, 3, 1, function(i, key, companion)
  guard_slot_of(companion)
  before_writing()
  local at = 3 * i
  return change(key, companion, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
end)
