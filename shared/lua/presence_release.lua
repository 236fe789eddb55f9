-- @include allow_oom guard presence
-- Ends a hub's presence: removes a page of its users, then those of dead hubs, so that after the
-- last hub only other services' members are left, without an expiry.
--
-- KEYS, ARGV[1..6]  see presence.lua
-- ARGV[7..]  earlier incarnations of this hub
--
-- Returns the minimum number of calls still needed: 0 or 1.

before_writing()
-- From here on a delayed call of this incarnation does nothing.
redis.call('HDEL', revs, me)
-- The presence lease is kept until no user is left: if this hub is interrupted, another one
-- continues.
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
