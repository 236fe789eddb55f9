-- @include guard feed publish
-- Removes the foreign elements that have an id from a feed, and notifies the user's sockets. The
-- record knows nothing of them: nothing keeps their service from adding them again.
--
-- ARGV[1]  id
-- ARGV[2]  cap      size of the feed window
-- ARGV[3]  now      RFC 3339
-- ARGV[4]  channels of events, see publish.lua
-- ARGV[5]  event    JSON text up to the value of `unread`; "" for no event
--
-- Returns {removed}: 0 if the feed has none, and nothing is published then. A warm feed stays warm.
-- The event's `unread` is null if the feed is cold; a denied event does not fail the call.

local state, v = feed_state_with_reads('their_reads')
local elements = redis.call('LRANGE', list, 0, -1)
local found = {}
for i, element in ipairs(elements) do
  if not our_seq(element) and their_id(element) == ARGV[1] then found[i] = true end
end
if not next(found) then return {0} end

-- The number of elements that lie above those of our last write, if the feed is warm.
local warm, above = is_warm(state), nil
if warm then
  above = state.n == 0 and state.length or state.trimmed_above or state.length - state.n
end
before_writing('LREM', list, 'HSET', companion)
local removed, below, first = 0, 0, nil
for i, element in ipairs(elements) do
  if found[i] then
    -- The same bytes may lie there twice: one call removes all of them.
    if redis.call('LREM', list, 1, element) == 1 then removed = removed + 1 end
    if warm and i > above then below = below + 1 end
  elseif warm and i > above then
    first = first or element
  end
end
if warm and below > 0 then
  redis.call('HSET', companion, 'n', state.length - above - below, 'tail', fingerprint_at(-1),
    'top', fingerprint(first or ''), 'unread_n', '')
  if state.trimmed_above then redis.call('HSET', companion, 'complete', 0) end
end
if v[13] then redis.call('HSET', companion, 'their_reads', marks_of_theirs(v[13], {}, 0)) end

if ARGV[5] ~= '' then
  local unread, until_when = 'null', NEVER
  state = feed_state_with_reads()
  if is_warm(state) then
    unread = derive_unread(state, tonumber(ARGV[2]), ARGV[3])
    until_when = state.unread_until
  end
  local common, own = channels_of(ARGV[4])
  publish_on(common, own, event_text(ARGV[5], unread, until_when))
end
return {removed}
