-- @include guard campaign
-- Removes a campaign's responses, on a cluster, which keeps them in another slot than the rest:
-- campaign_delete.lua removes that.
--
-- KEYS[1]  responses
-- KEYS[2]  once        of the request
-- ARGV[1]  once_ttl_s
--
-- Returns {}.

redis.call('LLEN', KEYS[1])
before_writing()
if is_repeat(KEYS[2], ARGV[1]) then return {} end
redis.call('DEL', KEYS[1])
return {}
