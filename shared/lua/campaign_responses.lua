-- Returns the number of a campaign's responses and when they expire, for campaign_progress.lua on a
-- cluster. This script has no prelude.
--
-- KEYS[1]  responses
-- ARGV[1]  ttl_s   of responses that another service wrote without an expiry
--
-- Returns {length, expires_at_ms}; expires_at_ms is -2 if there are none.

local len = redis.call('LLEN', KEYS[1])
-- A Redis that accepts no writes can still be read.
if redis.call('PEXPIRETIME', KEYS[1]) == -1 then redis.pcall('EXPIRE', KEYS[1], ARGV[1]) end
return {len, redis.call('PEXPIRETIME', KEYS[1])}
