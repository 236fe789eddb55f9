-- In front of the campaign_* scripts.
--
-- KEYS[1]  list       users to reach, oldest first
-- KEYS[2]  responses  list
-- KEYS[3]  companion  hash {len, processed}: the list's length after our last look, and how many
--                     left it since the campaign began
--
-- Other services may push to the list and pop from it. What it lost between two looks counts as
-- processed, what it gained as new; of pushes and pops in between only the difference is seen.

local list, responses, companion = KEYS[1], KEYS[2], KEYS[3]

-- Length, and how many were processed. Raises WRONGTYPE before anything is written.
local function look()
  local len = redis.call('LLEN', list)
  redis.call('LLEN', responses)
  local known = redis.call('HMGET', companion, 'len', 'processed')
  local before, processed = tonumber(known[1]) or len, tonumber(known[2]) or 0
  return len, processed + math.max(before - len, 0)
end

-- Another service's list may have no expiry.
local function expire_if_eternal(key, ttl_s)
  if redis.call('TTL', key) == -1 then redis.call('EXPIRE', key, ttl_s) end
end

local function note(len, processed, ttl_s)
  redis.call('HSET', companion, 'len', len, 'processed', processed)
  expire_if_eternal(companion, ttl_s)
end

-- Whether this very request was carried out already: its answer was lost with the connection.
local function is_repeat(once, once_ttl_s)
  return not redis.call('SET', once, '1', 'NX', 'EX', once_ttl_s)
end
