-- Redis takes nothing back: what a script wrote stays when a later command of it is refused (a user
-- who lacks a permission), and a caller who tries again writes it twice or finds it gone. Scripts
-- that cannot be repeated from wherever they broke off call this before their first write. Those
-- that write nothing, or the same again, need not.
--
-- The caller's keys were checked before the script began, since it names them: what matters here is
-- the commands, and keys that it makes up itself.
--
-- A server without memory refuses a script's first write or none, as long as that write is one that
-- needs memory; EXPIRE, DEL and the like in front of it would let everything through.

local is_allowed = redis.acl_check_cmd

local function require_permissions(command, key, ...)
  if not is_allowed(command, key) then
    error(redis.error_reply('NOPERM no permission for ' .. command .. ' on ' .. key))
  end
  if ... then return require_permissions(...) end
end

-- Raises NOPERM unless the caller may run each command on its key: command, key, command, key...
-- About 0.15 µs each. Arguments behind the key decide nothing.
local function before_writing(...)
  -- Servers other than Redis 7 and Valkey need not have it.
  if is_allowed then require_permissions(...) end
end

