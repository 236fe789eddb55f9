-- Prelude of the campaign scripts.
--
-- KEYS[1]  list       users to reach, oldest first
-- KEYS[2]  companion  hash {len, processed}: the list's length after the last call, and the number
--                     of users that have left it since the campaign began; {keys, key:<digest>}: the
--                     idempotency keys of the calls that added users, and the digests of the users
--
-- Other services may append to the list and pop from it. A decrease between two calls counts as
-- processed, an increase as new; of both in between only the difference is visible.

local list, companion = KEYS[1], KEYS[2]

-- The length, and the number processed. Raises WRONGTYPE before any write.
local function look()
  local len = redis.call('LLEN', list)
  local known = redis.call('HMGET', companion, 'len', 'processed')
  local before, processed = tonumber(known[1]) or len, tonumber(known[2]) or 0
  return len, processed + math.max(before - len, 0)
end

-- Another service may have created the list without an expiry.
local function expire_if_eternal(key, ttl_s)
  if redis.call('TTL', key) == -1 then redis.call('EXPIRE', key, ttl_s) end
end

local function note(len, processed, ttl_s)
  redis.call('HSET', companion, 'len', len, 'processed', processed)
  expire_if_eternal(companion, ttl_s)
end

-- Whether this request was already executed and its answer lost with the connection.
local function is_repeat(once, once_ttl_s)
  return not redis.call('SET', once, '1', 'NX', 'EX', once_ttl_s)
end
