-- What the scripts of presence share; it stands in front of each of them.
--
-- KEYS[1]  online  the set that everybody reads; other services add and remove members as well
-- KEYS[2]  leases  zset incarnation -> until when its hub counts as alive, milliseconds
-- KEYS[3]  revs    hash incarnation -> "rev size": the last call that was carried out, and how many
--                  users its set held then
-- KEYS[4]  own     set of the users whom this incarnation holds
--
-- ARGV[1]  id         of the incarnation: a hub's life with Redis, until one of them is lost
-- ARGV[2]  prefix     of the sets of users; the id of an incarnation follows
-- ARGV[3]  lease_ms   a hub that has not called for so long is dead
-- ARGV[4]  expiry_ms  of `online`, after anybody's last call: nobody takes the last hub's users out
-- ARGV[5]  ttl_s      expiry of the other keys
-- ARGV[6]  page       most users of a dead incarnation that one call takes out
--
-- Errors: WRONGTYPE, naming the key, before anything is written. The set of another incarnation that
-- has become something else counts as empty.
--
-- A user may lie in `online` because of several hubs and of other services. Who leaves a hub is taken
-- out unless another live hub holds them. What other services hold is not known, just as they know
-- nothing of us: they take out whose tab has closed while ours is open, and the next beats bring
-- them back.
--
-- A server without memory carries the scripts out all the same: presence that is not renewed would be
-- wrong within seconds, and it is no larger than the number of sockets.

local online, leases, revs, own = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me, prefix = ARGV[1], ARGV[2]
local lease_ms, expiry_ms, ttl_s = tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local page = tonumber(ARGV[6])

-- Far more than a fleet has; bounds what is looked through.
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

-- Takes users out of `online`, but for those whom any of `sets` holds.
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

-- Takes a page of an incarnation's users out; `sets` are those of the live. Says whether it was the
-- last one.
local function take_page_out(id, sets)
  -- Whoever is out of the hub's set and still in `online` would stay there.
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

-- An incarnation that is over, or nil. Our own never counts.
local function dead_one()
  local dead = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 2)
  if dead[1] == me then return dead[2] end
  return dead[1]
end

-- Latest moment until which any hub was known to be alive, or nil.
local function last_deadline()
  return tonumber(redis.call('ZRANGE', leases, 0, 0, 'REV', 'WITHSCORES')[2])
end

-- Earlier incarnations of this hub, named in ARGV, need not wait for the end of their leases.
local function end_former(first, last)
  for i = first, last do redis.call('ZADD', leases, 'XX', 'LT', now, ARGV[i]) end
end

-- While anybody holds users, `online` must go soon after the last hub. While nobody does, it holds
-- members of other services at most, and those are not ours to end.
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
