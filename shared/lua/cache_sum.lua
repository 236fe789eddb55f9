-- Adds up the reads and fetches of some hours. This script has no prelude.
--
-- KEYS  counts  one hash per hour; see cache_count.lua
--
-- Returns "<what> <resource>", number, ...

-- Fields of an hour: seven for each of the declared resources. A hash with more is not ours.
local FIELDS_MAX = 10000
-- Integers up to here are exact in Lua and JSON.
local NUMBER_MAX = 2 ^ 53

local totals = {}
for _, key in ipairs(KEYS) do
  local fields = redis.call('HLEN', key) <= FIELDS_MAX and redis.call('HGETALL', key) or {}
  for at = 1, #fields, 2 do
    local field, number = fields[at], tonumber(fields[at + 1]) or 0
    -- Also what is not a number (`nan`).
    if not (number >= 0 and number <= NUMBER_MAX) then number = 0 end
    if string.find(field, '^worst ') then
      totals[field] = math.max(totals[field] or 0, number)
    else
      totals[field] = (totals[field] or 0) + number
    end
  end
end
local reply = {}
for field, total in pairs(totals) do
  reply[#reply + 1] = field
  reply[#reply + 1] = math.min(total, NUMBER_MAX)
end
return reply
