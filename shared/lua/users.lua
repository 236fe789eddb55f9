-- Prelude of the scripts for many users.
--
-- KEYS  key, companion  pairs, one per user. On a cluster, where KEYS must be of one slot, a call
--       may also be for users of other slots of the same node: their pairs are at the end of ARGV,
--       behind the arguments of all users. Redis lets scripts without "#!lua" access several slots.
--
-- A user of KEYS raises an error if the slot moves. The answer for one of ARGV whose slot is on
-- another node or moves is nil, and nothing was written: ask for that user alone.

-- Whether a command failed because its slot is on another node or moves. `text` is that of its error.
local function is_of_moving_slot(text)
  return string.find(text, 'non local key', 1, true) or string.find(text, '^TRYAGAIN')
end

-- Calls `act(i, key, companion)` for each user and returns all answers, `width` values of each user.
-- ARGV begins with `fixed` arguments of the call, and then has `each` of them for every user.
local function for_users(fixed, each, width, act)
  local count, given = (#ARGV - fixed + #KEYS) / (each + 2), #KEYS / 2
  local answers = {}
  local function note(i, is_done, ...)
    if not is_done and not is_of_moving_slot(...) then error(redis.error_reply(...)) end
    for at = 1, width do
      answers[(i - 1) * width + at] = is_done and select(at, ...)
    end
  end
  for i = 1, given do note(i, true, act(i, KEYS[2 * i - 1], KEYS[2 * i])) end
  for i = given + 1, count do
    local at = #ARGV - 2 * (count - i)
    note(i, pcall(act, i, ARGV[at - 1], ARGV[at]))
  end
  return answers
end
