-- Redis does not roll back: a script's writes stay if one of its later commands is denied (to a
-- user who lacks a permission), and a caller that retries writes them twice or finds the data gone.
-- Scripts that cannot be repeated from any point call this before their first write. Scripts that
-- write nothing, or the same again, need not.
--
-- Redis checked the caller's KEYS before the script began, since the call names them (not those that a
-- call for many users has in ARGV on a cluster: users.lua). This checks
-- the commands, and keys that the script builds itself.
--
-- Nor is a script one step while a cluster moves its hash slot to another node: the node that gives
-- the slot away ends the script halfway, at the first key that is absent or that the script has just
-- deleted ("non local key"). So every script that writes several keys, or deletes one, calls this.
-- One that only writes keys that it was given and deletes none needs no guard: Redis checks before it
-- begins that all of them are on this node.
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

-- `Script::on_cluster` makes it true: one Redis moves no slots, and does without.
local is_on_cluster = false
local guarded = KEYS[2] -- has braces, if there is one
local is_settled = not is_on_cluster or not guarded

-- Lets `before_writing` look at the slot of this key from now on: for a script for several users.
local function guard_slot_of(companion)
  guarded, is_settled = companion, not is_on_cluster
end

-- Raises TRYAGAIN while the slot of `guarded` moves. Looks for two keys of the slot that never exist:
-- the node that gives the slot away refuses any command with an absent key, the one that takes it over
-- only commands with several. If the caller may not use EXISTS on them, nothing is known; `/readyz`
-- says so. Costs a microsecond, on a cluster only.
--
-- Raises NOPERM unless the caller may run each command on its key: command, key, command, key...
-- About 0.15 µs each. Arguments after the key have no influence.
local function before_writing(...)
  if not is_settled then
    local probe = guarded .. ':'
    local found = redis.pcall('EXISTS', probe, probe .. ':')
    if found ~= 0 and (string.find(found.err, 'non local key', 1, true)
      or string.find(found.err, 'cluster is down', 1, true)) then
      error(redis.error_reply('TRYAGAIN the hash slot is being moved; nothing was written'))
    end
    -- It cannot begin to move while a script runs.
    is_settled = true
  end
  -- Only Redis 7 and Valkey are certain to have it.
  if is_allowed and ... then require_permissions(...) end
end
