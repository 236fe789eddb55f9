-- A hub ends: takes a page of its users out, then those of dead hubs, so that the last one to leave
-- leaves only what other services hold, and without an expiry.
--
-- KEYS, ARGV[1..6]  see presence.lua
-- ARGV[7..]  earlier incarnations of this hub
--
-- Returns how many calls are left at least: 0 or 1.

-- From here on a late call of this incarnation does nothing.
redis.call('HDEL', revs, me)
-- The lease is kept until nobody is left: if this hub breaks off, another one finds the rest.
redis.call('ZADD', leases, now, me)
redis.call('EXPIRE', leases, ttl_s)
end_former(7, #ARGV)

local left = 1
if take_page_out(me, sets_of_others()) then
  local id = dead_one()
  if not id then
    forget(me)
    left = 0
  elseif take_page_out(id, sets_of_others()) then
    forget(id)
  end
end
set_expiry()
return left
