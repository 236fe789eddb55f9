-- @include guard campaign
-- Takes users from a campaign, oldest first. No other call gets them.
--
-- ARGV[1]  ttl_s  of a list that another service created without an expiry
-- ARGV[2]  count  maximum number of users
--
-- Returns {remaining, element…}. If the answer is lost, the users are lost with it, and a repeated
-- call takes the next ones: each user at most once.

local len, processed = look()
if len == 0 then
  before_writing()
  if redis.call('EXISTS', companion) == 1 then note(len, processed, ARGV[1]) end
  return {0}
end
before_writing('HSET', companion, 'EXPIRE', companion)
expire_if_eternal(list, ARGV[1])
local users = redis.call('LPOP', list, ARGV[2])
note(len - #users, processed + #users, ARGV[1])
table.insert(users, 1, len - #users)
return users
