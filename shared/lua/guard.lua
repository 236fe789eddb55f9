-- Redis does not roll back: a script's writes stay if one of its later commands is denied (to a
-- user who lacks a permission), and a caller that retries writes them twice or finds the data gone.
-- Scripts that cannot be repeated from any point call this before their first write. Scripts that
-- write nothing, or the same again, need not.
--
-- Redis checked the caller's KEYS before the script began, since the call names them. This checks
-- the commands, and keys that the script builds itself.
--
-- A server out of memory rejects a script's first write or none, provided that this write needs
-- memory; after an EXPIRE or DEL it would accept all others.

local is_allowed = redis.acl_check_cmd

local function require_permissions(command, key, ...)
  if not is_allowed(command, key) then
    error(redis.error_reply('NOPERM no permission for ' .. command .. ' on ' .. key))
  end
  if ... then return require_permissions(...) end
end

-- Raises NOPERM unless the caller may run each command on its key: command, key, command, key...
-- About 0.15 µs each. Arguments after the key have no influence.
local function before_writing(...)
  -- Only Redis 7 and Valkey are certain to have it.
  if is_allowed then require_permissions(...) end
end

