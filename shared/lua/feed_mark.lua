-- Brings a change of the record's marks to a feed and tells the user's sockets.
--
-- ARGV[1]  rev      revision of the record that `reads` was read at
-- ARGV[2]  reads    "seq=ms;..." of the newest entries that were read
-- ARGV[3]  ttl_s    expiry of the companion
-- ARGV[4]  cap      size of the window
-- ARGV[5]  now      RFC 3339
-- ARGV[6]  channel  of events
-- ARGV[7]  event    JSON text up to the value of `unread`, which stands last; "" for none
--
-- Returns {unread}, or {-1} for a cold feed, whose unread is not known: load it and repeat. Safe to
-- repeat, and in any order: a lower revision changes nothing. A cold feed takes the revision too, so
-- that a load which read the record earlier is refused.

local state = feed_state()
if tonumber(ARGV[1]) > state.rev then
  state.rev, state.reads = tonumber(ARGV[1]), ARGV[2]
  redis.call('HSET', companion, 'rev', ARGV[1], 'reads', ARGV[2])
  redis.call('EXPIRE', companion, ARGV[3])
end
if not is_warm(state) then return {-1} end
local unread = derive_unread(state, tonumber(ARGV[4]), ARGV[5])
if ARGV[7] ~= '' then redis.call('PUBLISH', ARGV[6], ARGV[7] .. unread .. '}') end
return {unread}
