-- @include feed
-- Returns the heads of many feeds, for the relay.
--
-- KEYS     list, companion  pairs, one per user
-- ARGV[1]  epoch            of the record
--
-- Returns per user the seq of the newest entry that is in the feed and was published, -1 for a cold
-- feed, which must be loaded, or -2 for a key of the wrong type.

local heads = {}
for i = 1, #KEYS, 2 do
  list, companion = KEYS[i], KEYS[i + 1]
  local is_feed, state, v = pcall(feed_state, 'told')
  if not is_feed then
    heads[#heads + 1] = -2
  else
    heads[#heads + 1] = state.epoch == ARGV[1] and is_warm(state)
      and told_of(state, v[7]) or -1
  end
end
return heads
