-- @include feed
-- Finds one entry of a feed by its id.
--
-- ARGV[1]  id
--
-- Returns {epoch, head, reads} if the feed lacks it, else {epoch, head, reads, element}; epoch is
-- "" and head 0 for a cold feed; `their_reads` comes behind `reads`.

local state, v = feed_state('reads', 'their_reads')
local reply = {state.epoch or '', state.head, (v[7] or '') .. (v[8] or '')}
for _, element in ipairs(redis.call('LRANGE', list, 0, -1)) do
  if has_id(element, ARGV[1]) then reply[4] = element break end
end
return reply
