-- @include guard
-- Publishes a message of another service on its user's own channel, as the hub that has the lease. A
-- hub that was suspended must not publish what the next one publishes, too: the lease's end is checked
-- here. A repeat of the same call publishes nothing.
--
-- KEYS[1]  the user's feed, which names the channel
-- KEYS[2]  the id of the last message forwarded to the user
-- ARGV[1]  the end of the caller's lease, in milliseconds since the Unix epoch
-- ARGV[2]  the message's id, unique over all callers
-- ARGV[3]  how long that id is kept, in milliseconds
-- ARGV[4]  the message
--
-- Returns 1 if it was published, now or by an earlier call; 0 if the lease has ended. An id of another
-- type is replaced.

local time = redis.call('TIME')
if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[1]) then return 0 end
local last = redis.pcall('GET', KEYS[2])
if last == ARGV[2] then return 1 end
if type(last) == 'table' and not string.find(last.err, '^WRONGTYPE') then return last end
local channel = 'bw:live:{' .. KEYS[1] .. '}'
before_writing('SET', KEYS[2], 'SPUBLISH', channel)
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('SPUBLISH', channel, ARGV[4])
return 1
