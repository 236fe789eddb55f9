-- @include token
-- Restores a push token that Redis lacks, or notes that there is none.
--
-- KEYS     token, companion
-- ARGV[1]  ttl_s     of the token
-- ARGV[2]  fence_s   of the companion
-- ARGV[3]  absent_s  time that the absence is cached
-- ARGV[4]  rev       of the record's row; 0 for none
-- ARGV[5]  token     of the record; "" for none
--
-- Returns {token}: the token in Redis afterwards, "" for none. A write in the meantime is later
-- than the read of the record and wins: a refill that raced a delete would restore the token for
-- 270 days.

local current = redis.call('GET', KEYS[1])
if current then return {current} end
local known_rev, is_absent = token_state(KEYS[2])
local rev, token = tonumber(ARGV[4]), ARGV[5]
if known_rev > rev or (known_rev == rev and is_absent) then return {''} end
if token == '' then
  note_absence(KEYS[2], ARGV[4], ARGV[3], ARGV[2])
else
  redis.call('SET', KEYS[1], token, 'EX', ARGV[1])
  note_token(KEYS[2], ARGV[4], token, ARGV[2])
end
return {token}
