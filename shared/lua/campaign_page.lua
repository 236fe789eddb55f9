-- Reads a page of a campaign's responses, oldest first.
--
-- KEYS[1]  responses
-- ARGV[1]  ttl_s   of responses that another service wrote without an expiry
-- ARGV[2]  offset
-- ARGV[3]  limit
--
-- Returns {length, response…}.

local len = redis.call('LLEN', KEYS[1])
if len == 0 then return {0} end
if redis.call('TTL', KEYS[1]) == -1 then redis.pcall('EXPIRE', KEYS[1], ARGV[1]) end
local page = redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[2] + ARGV[3] - 1)
table.insert(page, 1, len)
return page
