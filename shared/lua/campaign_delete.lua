-- @include guard campaign
-- Removes a campaign with its responses and its push. A worker that holds a block of it is told so
-- when it settles.
--
-- KEYS[3]     once        of the request
-- KEYS[4..8]  push, blocks, retry, dead, prefix of the blocks' keys; see push.lua
-- KEYS[9]     responses   missing on a cluster, see campaign_clear.lua
-- ARGV[1]     once_ttl_s
--
-- Returns {}.

local responses = KEYS[9]
look()
if responses then redis.call('LLEN', responses) end
local of_blocks = redis.call('ZRANGE', KEYS[5], 0, -1)
for i, block in ipairs(of_blocks) do of_blocks[i] = KEYS[8] .. ':' .. block end
before_writing()
if is_repeat(KEYS[3], ARGV[1]) then return {} end
if #of_blocks > 0 then redis.call('DEL', unpack(of_blocks)) end
local all = {list, companion, unpack(KEYS, 4, 7)}
all[#all + 1] = responses
redis.call('DEL', unpack(all))
return {}
