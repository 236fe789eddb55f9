-- @include allow_oom guard campaign push
-- Pauses, resumes or cancels. Repeating it is harmless.
--
-- ARGV[2]  action  pause | resume | cancel
--
-- Returns {state, 1}, {state, 0} if it is done or cancelled already, or {"none", 0}. A push that is
-- paused or cancelled gives out no block; workers stop within the one that they have. Users who
-- wait for another attempt when it is cancelled count as skipped, those in the list stay there.

local action = ARGV[2]
local state = redis.call('HGET', push, 'state')
if not state then return {'none', 0} end
before_writing('ZCARD', retry, 'HSET', push, 'HINCRBY', push, 'DEL', retry, 'EXPIRE', push)
local is_under_way = state == 'running' or state == 'paused'
if action == 'cancel' and is_under_way then
  local waiting = redis.call('ZCARD', retry)
  redis.call('HSET', push, 'state', 'cancelled', 'reason', '')
  redis.call('HINCRBY', push, 'skipped', waiting)
  redis.call('DEL', retry)
  state = 'cancelled'
elseif action == 'pause' and state == 'running' then
  state = 'paused'
  redis.call('HSET', push, 'state', state, 'reason', '')
elseif action == 'resume' and state == 'paused' then
  state = 'running'
  redis.call('HSET', push, 'state', state, 'reason', '')
end
renew_push()
redis.call('EXPIRE', list, ARGV[1])
return {state, (is_under_way or (action == 'cancel' and state == 'cancelled')) and 1 or 0}
