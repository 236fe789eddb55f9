-- @include guard users feed publish feed_append
-- Appends one notification to each of many feeds and publishes it, each as feed_push.lua would.
--
-- KEYS     list, companion  pairs, one per user; see users.lua for those of other slots
-- ARGV[1]  epoch            of the record
-- ARGV[2]  cap              maximum length of a list
-- ARGV[3]  ttl_s            expiry of both keys
-- ARGV     mode, after, head, channels, seq, json, expires_ms   of each user, as in feed_append.lua
--
-- Returns per user the first two elements of `append`'s answer, or "failed" and 0 if a command failed.
-- After that, and after "untold", feed_push.lua for this user alone says why, and does what is left.

local EACH = 7

return for_users(3, EACH, 2, function(i, its_list, its_companion)
  list, companion = its_list, its_companion
  guard_slot_of(companion)
  local at = 3 + (i - 1) * EACH
  local mode, after, head, channels, seq, json, expires_ms = unpack(ARGV, at + 1, at + EACH)
  local is_done, answer = pcall(append, {mode, ARGV[1], after, 0, ARGV[2], ARGV[3], head, 0, '',
    channels, seq, json, expires_ms})
  if is_done then return answer[1], answer[2] end
  if is_of_moving_slot(answer) then error(redis.error_reply(answer)) end
  return 'failed', 0
end)
