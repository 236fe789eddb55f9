-- Prelude of the feed scripts that publish. Their argument `channels` names the channel that all
-- hubs hear, the user's own channel, or both, separated by a space. The own one is "bw:live:{…}", a
-- shard channel in the slot of the feed.

-- The channel that all hubs hear for events.
local EVENTS = 'bw:events'

-- Both names; nil for one that is not used.
local function channels_of(channels)
  local at = string.find(channels, 'bw:live:', 1, true)
  if not at then return channels end
  return at > 1 and string.sub(channels, 1, at - 2) or nil, string.sub(channels, at)
end

-- Publishes a message on both. Returns the problem if that failed: then it is on neither, since a
-- repeat would publish it again on the channel that had it.
local function publish_on(common, own, message)
  if common and own and is_allowed and not is_allowed('PUBLISH', common, message) then
    return 'NOPERM no permission for PUBLISH on ' .. common
  end
  if own then
    local reply = redis.pcall('SPUBLISH', own, message)
    if type(reply) == 'table' then return reply.err end
  end
  if common then
    local reply = redis.pcall('PUBLISH', common, message)
    if type(reply) == 'table' then return reply.err end
  end
end
