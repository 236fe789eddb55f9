-- Adds one instance's reads and fetches to those of an hour. This script has no prelude. A repeat
-- counts twice.
--
-- KEYS[1]  counts  hash: "<what> <resource>" -> number; `worst` is the longest fetch in ms
-- ARGV[1]  ttl_s   expiry, renewed
-- ARGV[2..]        resource, hits, stale, misses, fetches, failures, ms, worst; and the next resource
--
-- Returns the number of resources. It needs no guard against a moving slot: it has one key, and
-- deletes none.

-- A field that another service has written may not be a number: it is left alone, and the others are
-- added. The expiry is set in any case.
local ADDED = {'hits', 'stale', 'misses', 'fetches', 'failures', 'ms'}
local WIDTH = #ADDED + 2
local failed

for at = 2, #ARGV, WIDTH do
  local resource = ARGV[at]
  for i, what in ipairs(ADDED) do
    if ARGV[at + i] ~= '0' then
      local added = redis.pcall('HINCRBY', KEYS[1], what .. ' ' .. resource, ARGV[at + i])
      if type(added) == 'table' then failed = failed or added end
    end
  end
  local field, worst = 'worst ' .. resource, tonumber(ARGV[at + WIDTH - 1])
  if worst > 0 and worst > (tonumber(redis.call('HGET', KEYS[1], field) or 0) or 0) then
    redis.call('HSET', KEYS[1], field, worst)
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
if failed then return failed end
return (#ARGV - 1) / WIDTH
