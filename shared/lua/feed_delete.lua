-- Takes an entry that the record has deleted out of a feed, or makes the feed forget everything.
--
-- ARGV[1]  rev    revision of the record after the delete
-- ARGV[2]  ttl_s  expiry of the companion
-- ARGV[3]  id     of the entry; "" erases the whole feed, foreign elements included
-- ARGV[4]  epoch  that the revision was counted in
--
-- Returns {removed}. The revision is kept also for a cold feed: a load that read the record before
-- the delete would bring the entry back for 30 days.

local state, removed = feed_state(), 0
if ARGV[3] == '' then
  removed = redis.call('DEL', list)
  redis.call('DEL', companion)
  state = feed_state()
else
  for _, element in ipairs(redis.call('LRANGE', list, 0, -1)) do
    if our_seq(element) and has_id(element, ARGV[3]) then
      removed = redis.call('LREM', list, 1, element)
      if state.epoch then
        redis.call('HSET', companion, 'n', math.max(state.n - removed, 0))
        if state.is_whole then redis.call('HSET', companion, 'tail', fingerprint()) end
      end
      break
    end
  end
end
note_rev(state, ARGV[4], tonumber(ARGV[1]))
redis.call('EXPIRE', companion, ARGV[2])
return {removed}
