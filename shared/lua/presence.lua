-- Prelude of the presence scripts.
--
-- KEYS[1]  online  the set of online users; other services add and remove members, too
-- KEYS[2]  leases  zset incarnation -> time until which its hub counts as alive, ms
-- KEYS[3]  revs    hash incarnation -> "rev size": number of the last executed call, and the size
--                  of the incarnation's set after it
-- KEYS[4]  own     set of this incarnation's users
--
-- ARGV[1]  id         of the incarnation: a period in which neither the hub nor Redis lost state
-- ARGV[2]  prefix     of the sets of users; the id of an incarnation follows
-- ARGV[3]  lease_ms   a hub that is silent for this long counts as dead
-- ARGV[4]  expiry_ms  of `online`, after the last call of any hub: the last hub's users are not
--                     removed otherwise
-- ARGV[5]  ttl_s      expiry of the other keys
-- ARGV[6]  page       maximum number of a dead incarnation's users that one call removes
--
-- Errors: WRONGTYPE, naming the key, before any write; TRYAGAIN, see guard.lua. Another
-- incarnation's set of the wrong type counts as empty. The sets of other incarnations are not among
-- KEYS: after `before_writing` all of them are on this node.
--
-- A user may be in `online` because of several hubs and of other services. A user who leaves a hub
-- is removed unless another live hub has them. The users of other services are unknown here, and
-- ours are unknown to them: they remove a user whose tab with them has closed while ours is open,
-- and the next beats restore that user.
--
-- A server out of memory runs the scripts all the same: presence that is not renewed would be wrong
-- within seconds, and its size is bounded by the number of sockets.

local online, leases, revs, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, prefix = ARGV[1], ARGV[2]
local lease_ms, expiry_ms, ttl_s = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local page = tonumber(ARGV[6])

-- Far more than any fleet has; bounds the loops.
local HUBS_MAX = 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for i, command in ipairs({'SCARD', 'ZCARD', 'HLEN', 'SCARD'}) do
  local reply = redis.pcall(command, KEYS[i])
  if type(reply) == 'table' then
    if string.sub(reply.err, 1, 9) ~= 'WRONGTYPE' then return reply end
    return redis.error_reply('WRONGTYPE ' .. KEYS[i] .. ' is not what presence keeps there')
  end
end

local others
-- The sets of all other live hubs.
local function sets_of_others()
  if not others then
    others = {}
    local alive = redis.call('ZRANGEBYSCORE', leases, '(' .. now, '+inf', 'LIMIT', 0, HUBS_MAX)
    for _, id in ipairs(alive) do
      if id ~= me then others[#others + 1] = prefix .. id end
    end
  end
  return others
end

-- Removes users from `online`, except those in any of `sets`.
local function take_out(users, sets)
  for _, set in ipairs(sets) do
    if #users == 0 then return end
    local held = redis.pcall('SMISMEMBER', set, unpack(users))
    if held.err and string.sub(held.err, 1, 9) ~= 'WRONGTYPE' then error(held) end
    local left = {}
    for i, user in ipairs(users) do
      if held[i] ~= 1 then left[#left + 1] = user end
    end
    users = left
  end
  if #users > 0 then redis.call('SREM', online, unpack(users)) end
end

-- Removes a page of an incarnation's users; `sets` are those of live hubs. True if it was the last
-- page.
local function take_page_out(id, sets)
  -- A user removed from the hub's set but not from `online` would stay there.
  before_writing('SREM', online, 'SMISMEMBER', own)
  local users = redis.pcall('SPOP', prefix .. id, page)
  if users.err then
    if string.sub(users.err, 1, 9) ~= 'WRONGTYPE' then error(users) end
    users = {}
  end
  take_out(users, sets)
  return #users < page
end

local function forget(id)
  redis.call('UNLINK', prefix .. id)
  redis.call('ZREM', leases, id)
  redis.call('HDEL', revs, id)
end

-- A dead incarnation, or nil. Our own never counts.
local function dead_one()
  local dead = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 2)
  if dead[1] == me then return dead[2] end
  return dead[1]
end

-- The latest time until which any hub counted as alive, or nil.
local function last_deadline()
  return tonumber(redis.call('ZRANGE', leases, 0, 0, 'REV', 'WITHSCORES')[2])
end

-- Earlier incarnations of this hub, named in ARGV, count as dead before their presence leases end.
local function end_former(first, last)
  for i = first, last do redis.call('ZADD', leases, 'XX', 'LT', now, ARGV[i]) end
end

-- While any hub has users, `online` must expire soon after the last hub's last call. Otherwise it
-- has at most members of other services, whose expiry is not ours to set.
local function set_expiry()
  local is_held = redis.call('SCARD', own) > 0
  if not is_held then
    for _, id in ipairs(redis.call('ZRANGE', leases, 0, HUBS_MAX - 1)) do
      local size = redis.pcall('SCARD', prefix .. id)
      if type(size) == 'number' and size > 0 then
        is_held = true
        break
      end
    end
  end
  local last = last_deadline()
  if is_held and last then
    redis.call('PEXPIREAT', online, last - lease_ms + expiry_ms)
  elseif not is_held then
    redis.call('PERSIST', online)
  end
end
