-- @include guard feed publish
-- Removes an entry that the record has deleted from a feed, or erases the feed, and notifies the
-- user's sockets.
--
-- ARGV[1]  rev      revision of the record after the delete
-- ARGV[2]  ttl_s    expiry of the companion
-- ARGV[3]  id       of the entry; "" erases the whole feed, foreign elements included
-- ARGV[4]  epoch    that the revision belongs to
-- ARGV[5]  seq      of the entry
-- ARGV[6]  cap      size of the feed window
-- ARGV[7]  now      RFC 3339
-- ARGV[8]  channels of events, see publish.lua
-- ARGV[9]  event    JSON text up to the value of `unread`; "" for no event
--
-- Returns {removed}. A cold feed stores the revision, too: a load from an earlier read of the
-- record would restore the entry for 30 days. An entry that has not arrived yet makes the feed
-- cold, so that the append that contains it is rejected and the feed is loaded without it.
--
-- The event's `unread` is null if the feed is cold. A repeat sends the event again, since the first
-- one may have been denied; a denied one does not fail the delete.

local NEVER_SO_LONG = 1000000000
local function look()
  local state, v = feed_state_with_reads('rev', 'rev_epoch', 'reads_rev')
  add_revision(state, v[13], v[14], v[15])
  return state
end

local state, removed = look(), 0
before_writing('HSET', companion, 'EXPIRE', companion)
if ARGV[3] == '' then
  removed = redis.call('DEL', list)
  redis.call('DEL', companion)
  state = look()
else
  local elements = redis.call('LRANGE', list, 0, -1)
  for i, element in ipairs(elements) do
    if our_seq(element) and has_id(element, ARGV[3]) then
      removed = redis.call('LREM', list, 1, element)
      if state.epoch then
        -- An overtaken delete does not raise the revision, so the derived values are cleared here.
        redis.call('HSET', companion, 'n', math.max(state.n - removed, 0), 'unread_n', '')
        if state.is_whole then redis.call('HSET', companion, 'tail', fingerprint_at(-1)) end
        if was_first(state, element) then
          redis.call('HSET', companion, 'top', fingerprint(elements[i + 1] or ''))
        end
      end
      break
    end
  end
end
if removed == 0 and state.epoch == ARGV[4] and tonumber(ARGV[5]) > state.head then
  redis.call('HSET', companion, 'n', NEVER_SO_LONG)
end
note_rev(state, ARGV[4], tonumber(ARGV[1]))
redis.call('EXPIRE', companion, ARGV[2])

if ARGV[9] ~= '' then
  local unread, until_when = 0, NEVER
  if ARGV[3] ~= '' then
    state = look()
    if state.epoch == ARGV[4] and is_warm(state) then
      unread = derive_unread(state, tonumber(ARGV[6]), ARGV[7])
      until_when = state.unread_until
    else
      unread = 'null'
    end
  end
  local common, own = channels_of(ARGV[8])
  publish_on(common, own, event_text(ARGV[9], unread, until_when))
end
return {removed}
