-- @include guard feed publish
-- Applies a change of the record's marks to a feed and notifies the user's sockets.
--
-- ARGV[1]  rev      revision of the record that `reads` was read at
-- ARGV[2]  reads    "seq=ms;..." of the newest entries that are marked as read
-- ARGV[3]  ttl_s    expiry of the companion
-- ARGV[4]  cap      size of the feed window
-- ARGV[5]  now      RFC 3339
-- ARGV[6]  channels of events, see publish.lua
-- ARGV[7]  event    JSON text up to the value of `unread`; "" for no event
-- ARGV[8]  epoch    that the revision belongs to
-- ARGV[9]  now_ms   as Unix time
-- ARGV[10..] ids    that foreign elements may have: these are marked in the companion, which is the
--                   only place for their marks
--
-- Returns {unread}, or {-1} for a feed that is cold or of another epoch, whose unread is unknown:
-- load it and repeat. Safe to repeat, and in any order: marks of a lower revision change nothing. A
-- cold feed stores the revision, too, so that a load from an earlier read is rejected.

local rev, epoch = tonumber(ARGV[1]), ARGV[8]
local state, v = feed_state_with_reads('rev', 'rev_epoch', 'reads_rev', 'their_reads')
add_revision(state, v[13], v[14], v[15])
before_writing('EXPIRE', companion)
if ARGV[10] then
  local wanted, theirs = {}, v[16] or ''
  for i = 10, #ARGV do wanted[ARGV[i]] = true end
  local marks = marks_of_theirs(theirs, wanted, ARGV[9])
  if marks ~= theirs then
    redis.call('HSET', companion, 'their_reads', marks)
    redis.call('EXPIRE', companion, ARGV[3])
  end
end
-- Not compared with `rev`: a delete raises it without new marks.
if state.rev_epoch ~= epoch or rev > state.reads_rev then
  note_rev(state, epoch, rev)
  state.reads, state.reads_rev = ARGV[2], rev
  redis.call('HSET', companion, 'reads', state.reads, 'reads_rev', rev)
  redis.call('EXPIRE', companion, ARGV[3])
end
if state.epoch ~= epoch or not is_warm(state) then return {-1} end
local unread = derive_unread(state, tonumber(ARGV[4]), ARGV[5])
if ARGV[7] ~= '' then
  local common, own = channels_of(ARGV[6])
  local problem = publish_on(common, own, event_text(ARGV[7], unread, state.unread_until))
  if problem then return redis.error_reply(problem) end
end
return {unread}
