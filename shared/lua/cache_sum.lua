-- Adds up the reads and fetches of some hours. This script has no prelude.
--
-- KEYS  counts  one hash per hour; see cache_count.lua
--
-- Returns "<what> <resource>", number, ...

local totals = {}
for _, key in ipairs(KEYS) do
  local fields = redis.call('HGETALL', key)
  for at = 1, #fields, 2 do
    local field, number = fields[at], tonumber(fields[at + 1]) or 0
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
  reply[#reply + 1] = total
end
return reply
