-- @include feed
-- Returns the heads of many feeds, for the relay.
--
-- KEYS       list, companion  pairs, one per user
-- ARGV[1]    epoch            of the record
-- ARGV[2..]  list, companion  more pairs: on a cluster, where KEYS must be of one slot, those of
--                             other slots of the same node. Redis lets scripts without "#!lua"
--                             access several slots.
--
-- Returns per user the seq of the newest entry that is in the feed and was published, -1 for a cold
-- feed, which must be loaded, or -2 for a key of the wrong type. Nil for a feed of ARGV whose slot
-- is on another node or moves: ask for it alone. One of KEYS raises an error then.

local heads = {}

local function look(is_given)
  local is_feed, state, v = pcall(feed_state, 'told')
  if not is_feed then
    if not string.find(state, 'non local key', 1, true) then return -2 end
    if is_given then error(redis.error_reply('TRYAGAIN the hash slot is being moved')) end
    return false
  end
  return state.epoch == ARGV[1] and is_warm(state) and told_of(state, v[7]) or -1
end

for i = 1, #KEYS, 2 do
  list, companion = KEYS[i], KEYS[i + 1]
  heads[#heads + 1] = look(true)
end
for i = 2, #ARGV, 2 do
  list, companion = ARGV[i], ARGV[i + 1]
  heads[#heads + 1] = look(false)
end
return heads
