-- @include allow_oom guard presence
-- Renews a hub's presence lease and applies its changes; a beat also restores members that other
-- services removed, and removes the users of a dead hub.
--
-- KEYS, ARGV[1..6]  see presence.lua
-- ARGV[7]   rev      of this call, never used before in this incarnation
-- ARGV[8]   cursor   restore members from here on; "" for none
-- ARGV[9]   reaps    "1": also remove a page of a dead hub's users
-- ARGV[10]  revs, ARGV[11] ended, ARGV[12] joins   how many of each follow; the rest are leaves
-- ARGV[13..] revs    that the incarnation may be at: the last one known, and those of later calls
--                    that were never answered. "" if it may not exist yet.
--            ended   earlier incarnations of this hub
--            joins   users who came online; an incarnation's first calls send every user
--            leaves  users who went offline; at most 1,000 together with the joins
--
-- Returns {status, size, cursor, seen, restored, dead, short}
--   "ok"      size      users in the incarnation's set
--             cursor    to continue with, "0" at the end of the set
--             seen      members checked, of which `restored` were missing in `online`
--             dead      1 if there are more users of dead hubs to remove
--             short     1 if `online` has fewer members than the set: many were removed at once
--   "resync"  the presence lease ran out, or Redis is not in the state that this hub left: nothing
--             was done.
--             The users of a hub that counted as dead may have been removed: begin another
--             incarnation and send every user.
--
-- The answer of a call may be lost, and the call may even be executed after later ones (a server
-- that was stopped reads the input of disconnected clients). Its changes are sent again, which is
-- harmless; and once a later call was executed, its own revs do not match.

local revs_count, ended_count = tonumber(ARGV[10]), tonumber(ARGV[11])
local joins_count = tonumber(ARGV[12])
local first_rev = 13
local first_ended = first_rev + revs_count
local first_join = first_ended + ended_count
local first_leave = first_join + joins_count

local deadline = tonumber(redis.call('ZSCORE', leases, me))
local known = redis.call('HGET', revs, me)
local size = redis.call('SCARD', own)

-- The last executed call of this incarnation: "" if there is none, nil if it is unknown.
local rev
if not deadline and not known then
  rev = ''
elseif deadline and deadline > now and known then
  local at, size_then = string.match(known, '^(%d+) (%d+)$')
  -- Another service's change, or an eviction, shows in the size.
  if tonumber(size_then) == size then rev = at end
end
local fits = false
for i = first_rev, first_ended - 1 do fits = fits or ARGV[i] == rev end
if not fits then return {'resync', 0, '0', 0, 0, 0, 0} end
before_writing()

if rev == '' then
  -- All hubs were silent for so long that `online` has expired: users of dead hubs are gone
  -- already, and its present members were added by other services.
  local last = last_deadline()
  if last and last - lease_ms + expiry_ms <= now then
    for _, id in ipairs(redis.call('ZRANGE', leases, 0, HUBS_MAX - 1)) do forget(id) end
  end
  redis.call('UNLINK', own)
end

redis.call('ZADD', leases, now + lease_ms, me)
end_former(first_ended, first_join - 1)

if joins_count > 0 then
  redis.call('SADD', own, unpack(ARGV, first_join, first_leave - 1))
  redis.call('SADD', online, unpack(ARGV, first_join, first_leave - 1))
end
if first_leave <= #ARGV then
  redis.call('SREM', own, unpack(ARGV, first_leave))
  take_out({unpack(ARGV, first_leave)}, sets_of_others())
end

local cursor, seen, restored = '0', 0, 0
if ARGV[8] ~= '' then
  local part = redis.call('SSCAN', own, ARGV[8], 'COUNT', page)
  cursor, seen = part[1], #part[2]
  for first = 1, seen, page do
    local last = math.min(first + page - 1, seen)
    restored = restored + redis.call('SADD', online, unpack(part[2], first, last))
  end
end

local dead = 0
if ARGV[9] == '1' then
  -- No lease ends later than one of now, unless Redis' clock went back: its hub may be dead.
  local late = redis.call('ZRANGEBYSCORE', leases, '(' .. now + lease_ms, '+inf', 'LIMIT', 0,
    HUBS_MAX)
  for _, id in ipairs(late) do redis.call('ZADD', leases, 'XX', now + lease_ms, id) end
  local id = dead_one()
  if id then
    local sets = {own, unpack(sets_of_others())}
    if take_page_out(id, sets) then forget(id) end
    if dead_one() then dead = 1 end
  end
end

size = redis.call('SCARD', own)
redis.call('HSET', revs, me, ARGV[7] .. ' ' .. size)
for i = 2, 4 do redis.call('EXPIRE', KEYS[i], ttl_s) end
set_expiry()
local short = redis.call('SCARD', online) < size and 1 or 0
return {'ok', size, cursor, seen, restored, dead, short}
