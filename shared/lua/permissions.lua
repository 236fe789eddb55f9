-- Lists the permissions that the caller's Redis user lacks. Accesses no key.
--
-- ARGV[1]  lines "key COMMAND COMMAND ...": commands, each on that key or channel; or
--          "SUBCOMMAND CLUSTER"
--
-- Returns "COMMAND on key" or "CLUSTER SUBCOMMAND" for each that would be denied; nothing if the server
-- cannot tell.

local refused = {}
if not redis.acl_check_cmd then return refused end
for key, commands in string.gmatch(ARGV[1], '(%S+) ([^\n]+)') do
  for command in string.gmatch(commands, '%u+') do
    local words = {command, key}
    -- The number of keys that EVAL requires. To others it would be one more key, or channel.
    if string.find(command, '^EVAL') then words[3] = '0' end
    -- An unknown command raises an error: a server may have renamed it.
    local is_known, is_allowed = pcall(redis.acl_check_cmd, unpack(words))
    if not (is_known and is_allowed) then
      local name = command == 'CLUSTER' and command .. ' ' .. key or command .. ' on ' .. key
      refused[#refused + 1] = name
    end
  end
end
return refused
