-- Reads tags of one slot, for the other scripts of the cache on a cluster, and gives those that are
-- missing or malformed a new history: values with the lost one stay invalid.
--
-- KEYS  tags  bw:tag:{tag}; see cache.lua. This script has no prelude.
-- ARGV[1]  word      random
-- ARGV[2]  tag_keep  ms; longer than the lifetime of any tagged value
-- ARGV[3]  renew     "1": renews the expiry, for a value that will be written
--
-- Returns the text of each tag, "" for one that is missing and cannot be written: Redis is full.
-- Raises READONLY on a replica. It needs no guard against a moving slot, as cache_tags.lua.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local texts = {}
for i, key in ipairs(KEYS) do
  local text = redis.pcall('GET', key)
  if type(text) == 'table' then
    if not string.find(text.err, '^WRONGTYPE') then return text end
    text = nil
  end
  if text and string.match(text, '^[^/%s]+/%S* %d+ %d+$') then
    if ARGV[3] == '1' then redis.pcall('PEXPIRE', key, ARGV[2]) end
  else
    text = ARGV[1] .. '.' .. now .. '.' .. i .. '/ 0 0'
    local written = redis.pcall('SET', key, text, 'PX', ARGV[2])
    if written.err then
      if not string.find(written.err, 'OOM', 1, true) then return written end
      text = ''
    end
  end
  texts[i] = text
end
return texts
