-- @include campaign
-- Removes a campaign with its responses.
--
-- KEYS[4]  once        of the request
-- ARGV[1]  once_ttl_s
--
-- Returns {}.

look()
if is_repeat(KEYS[4], ARGV[1]) then return {} end
redis.call('DEL', list, responses, companion)
return {}
