-- Invalidates all values with one of these tags, including those being fetched: a fenced write
-- compares the versions.
--
-- KEYS  tags  bw:tag:{tag}; see cache.lua. This script has no prelude.
-- ARGV[1]  mode      "soft" | "hard"
-- ARGV[2]  change    random; the new change of all tags, and the history of those without one
-- ARGV[3]  tag_keep  ms; longer than the lifetime of any tagged value
--
-- Returns {number of tags, now}. Raises an error if nothing can be written. It needs no guard
-- against a moving slot: Redis checks before it begins that all KEYS are there, and it deletes none.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i, key in ipairs(KEYS) do
  local old = redis.pcall('GET', key)
  if type(old) == 'table' and not string.find(old.err, '^WRONGTYPE') then return old end
  local history, soft, hard
  if type(old) == 'string' then
    history, soft, hard = string.match(old, '^([^/%s]+)/%S* (%d+) (%d+)$')
  end
  -- Not before the times already stored: another master's clock may be behind.
  local at = math.max(now, tonumber(soft or 0), tonumber(hard or 0))
  if ARGV[1] == 'hard' then hard = at else soft = at end
  redis.call('SET', key, (history or ARGV[2] .. '.' .. i) .. '/' .. ARGV[2] .. '.' .. i .. ' '
    .. (soft or 0) .. ' ' .. (hard or 0), 'PX', ARGV[3])
end
return { #KEYS, now }
