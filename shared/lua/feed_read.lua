-- Reads the newest entries of a feed and how many of ours are unread.
--
-- KEYS[1]  list       notifications:{user}, newest first
-- KEYS[2]  companion  hash {epoch, head, n, rev, read_upto, unread, unread_key, unread_until}
-- ARGV[1]  limit      elements to return
-- ARGV[2]  cap        size of the window that `unread` looks at
-- ARGV[3]  now        RFC 3339, UTC, milliseconds: compares as text
--
-- Returns {"cold"} when the feed must be loaded from the record first, else
--   {"warm", epoch, head, unread, length, element, ...}  elements newest first
--
-- `unread` is derived from the window, never counted up or down. What was derived is kept beside
-- the state it was derived from, since looking through 100 elements costs more than all the rest.

local list, companion = KEYS[1], KEYS[2]
local limit, cap, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local state = redis.call('HMGET', companion, 'epoch', 'head', 'n', 'rev', 'read_upto',
  'unread', 'unread_key', 'unread_until')
local length = redis.call('LLEN', list)
local n = tonumber(state[3]) or 0
-- A list without an expiry was begun by another service; loading gives it one.
if not state[1] or length < n or (length > 0 and redis.call('TTL', list) < 0) then
  return {'cold'}
end

local OURS = '^{"id":"%x+%-%x+%-7%x%x%x%-%x+%-%x+","userId":"[^"]*","seq":(%d+),'
local EXPIRES = '"createdAt":"[^"]+","expiresAt":"([^"]+)"}$'
local NEVER = '~' -- sorts behind every time

local key = length .. ' ' .. state[2] .. ' ' .. (state[4] or 0) .. ' ' .. (state[5] or 0)
local unread = tonumber(state[6])
if not unread or state[7] ~= key or now >= state[8] then
  local read_upto, until_when = tonumber(state[5]) or 0, NEVER
  unread = 0
  for _, element in ipairs(redis.call('LRANGE', list, 0, cap - 1)) do
    local seq = tonumber(string.match(element, OURS))
    if seq and seq > read_upto then
      local expires = string.match(element, EXPIRES) or NEVER
      if expires > now then
        unread = unread + 1
        if expires < until_when then until_when = expires end
      end
    end
  end
  -- A read must not fail because Redis is full or a replica.
  redis.pcall('HSET', companion, 'unread', unread, 'unread_key', key, 'unread_until', until_when)
end

local reply = {'warm', state[1], tonumber(state[2]), unread, length}
for _, element in ipairs(redis.call('LRANGE', list, 0, limit - 1)) do
  reply[#reply + 1] = element
end
return reply
