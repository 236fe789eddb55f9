-- @include guard
-- Asks the push workers for a test push, unless too many wait already. A repeat asks twice, which
-- is harmless: both write the same results. With one key, it is one step in a moving slot, too.
--
-- KEYS[1]  tests   list, taken from its head
-- ARGV[1]  test    JSON text
-- ARGV[2]  ttl_s   of the list, renewed
-- ARGV[3]  max     tests that may wait
--
-- Returns the number of tests that wait, or -1 if there are too many.

if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[3]) then return -1 end
before_writing('RPUSH', KEYS[1], 'EXPIRE', KEYS[1])
local count = redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return count
