-- Reads keys of one server for many cached values at once, on a cluster, with that server's time.
-- This script has no prelude.
--
-- KEYS  keys of one slot, which decide the server
-- ARGV  keys of other slots of the same server. Redis lets scripts without "#!lua" access several
--       slots.
--
-- Returns the time in ms, then the text of each key of KEYS and ARGV. Nil for a key that is missing,
-- is not a string, or is on another server or on its way there: it has to be read alone. It needs no
-- guard against a moving slot: it writes nothing.

local time = redis.call('TIME')
local found = { time[1] * 1000 + math.floor(time[2] / 1000) }

local function read(key)
  local got = redis.pcall('MGET', key)
  if not got.err then return got[1] end
  if not string.find(got.err, 'non local key', 1, true) then error(got) end
  return false
end

for _, key in ipairs(KEYS) do found[#found + 1] = read(key) end
for _, key in ipairs(ARGV) do found[#found + 1] = read(key) end
return found
