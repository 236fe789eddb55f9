-- @include feed
-- Reads where a feed stands and how much of it is unread, for the hub. Writes nothing but the
-- cached derived values.
--
-- ARGV[1]  cap  size of the feed window
-- ARGV[2]  now  RFC 3339
--
-- Returns {epoch, head, unread, until, newest}:
--   epoch, head  as in the companion; nil if missing
--   unread       the number of unread entries; -1 for a cold feed, whose number is unknown
--   until        RFC 3339: `unread` holds until then unless the feed changes; "~" for no end
--   newest       the first element of the list; nil if it is empty

local state, v = feed_state_with_reads()
local unread = -1
if is_warm(state) then unread = derive_unread(state, tonumber(ARGV[1]), ARGV[2]) end
return {v[1], v[2], tonumber(unread), state.unread_until or '', redis.call('LINDEX', list, 0)}
