-- Takes, renews or hands back the lease of the hub that forwards other services' messages.
--
-- KEYS[1]  the lease
-- ARGV[1]  the token that the caller stored last, or a new random one
-- ARGV[2]  the token to store: another one tells the other hubs that messages may have been missed
-- ARGV[3]  the lease's length in milliseconds; 0 hands it back
--
-- Returns {holder's token ('' for none), its end on Redis' clock in milliseconds since the Unix epoch
-- (0 unless the caller holds it), 1 if the caller has held it without an interruption}. A lease of
-- another type or without an expiry, as only other services write it, is nobody's: it would never end.

local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'table' then
  if not string.find(holder.err, '^WRONGTYPE') then return holder end
  holder = false
elseif holder and redis.pcall('PTTL', KEYS[1]) == -1 then
  holder = false
end
local length = tonumber(ARGV[3])
if holder and holder ~= ARGV[1] then return { holder, 0, 0 } end
if length == 0 then
  redis.call('DEL', KEYS[1])
  return { '', 0, 0 }
end
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[2], 'PX', length)
return { ARGV[2], time[1] * 1000 + math.floor(time[2] / 1000) + length, holder and 1 or 0 }
