-- @include campaign
-- Removes a campaign with its responses and its push. A worker that holds a block of it is told so
-- when it settles.
--
-- KEYS[3]     responses
-- KEYS[4]     once        of the request
-- KEYS[5..9]  push, blocks, retry, dead, prefix of the blocks' keys; see push.lua
-- ARGV[1]     once_ttl_s
--
-- Returns {}.

local responses = KEYS[3]
look()
redis.call('LLEN', responses)
local of_blocks = redis.call('ZRANGE', KEYS[6], 0, -1)
for i, block in ipairs(of_blocks) do of_blocks[i] = KEYS[9] .. ':' .. block end
if is_repeat(KEYS[4], ARGV[1]) then return {} end
if #of_blocks > 0 then redis.call('DEL', unpack(of_blocks)) end
redis.call('DEL', list, responses, companion, unpack(KEYS, 5, 8))
return {}
