-- What the scripts of a feed share; it stands in front of each of them.
--
-- KEYS[1]  list       notifications:{user}, newest first
-- KEYS[2]  companion  hash:
--   epoch, head, n    the record's epoch, the newest seq pushed, length after our last write
--   tail              fingerprint of the last element after our last write
--   full              "1" when the list had no room left then
--   rev, rev_epoch    revision of the record that is known here (marks, deletes and erases raise it),
--                     and the epoch it was counted in: another record counts anew
--   reads, reads_rev  "seq=ms;seq=ms;": entries that were read, and when, as of that revision
--   complete          "1" while the list holds every entry that the record has
--   unread, some_expired, unread_key, unread_until
--                     what was derived, from which state, until when it holds

local list, companion = KEYS[1], KEYS[2]
local NEVER = '~' -- sorts behind every RFC 3339 time

-- Seq of an element that our serialiser wrote; nil for a foreign one.
local function our_seq(element)
  return tonumber(string.match(element,
    '^{"id":"%x+%-%x+%-7%x%x%x%-%x+%-%x+","userId":"[^"]*","seq":(%d+),'))
end

-- When an element of ours expires; the serialiser writes that last.
local function expires_at(element)
  return string.match(element, '"createdAt":"[^"]+","expiresAt":"([^"]+)"}$') or NEVER
end

-- Whether an element is the one with this id. Foreign ids may be numbers, and spaced otherwise.
local function has_id(element, id)
  if our_seq(element) then return string.sub(element, 8, 7 + #id) == id
    and string.sub(element, 8 + #id, 8 + #id) == '"' end
  local known, object = pcall(cjson.decode, element)
  if not known or type(object) ~= 'table' then return false end
  local other = object.id
  if type(other) == 'number' then other = string.format('%.17g', other) end
  return other == id
end

-- Tells whether the last element is still the same one.
local function fingerprint()
  local last = redis.call('LINDEX', list, -1) or ''
  return #last .. ' ' .. string.sub(last, 1, 80)
end

-- A counter of ours; nil for what is none, as somebody else may have written it.
local function counter(text)
  return text and string.match(text, '^%d+$') and tonumber(text)
end

-- The companion's fields that scripts look at, in one call. Without sound counters a feed is cold.
local function feed_state()
  local v = redis.call('HMGET', companion, 'epoch', 'head', 'n', 'rev', 'reads',
    'unread', 'unread_key', 'unread_until', 'some_expired', 'complete',
    'tail', 'full', 'rev_epoch', 'reads_rev')
  local tail = fingerprint()
  local is_whole = v[11] == tail
  return {
    epoch = counter(v[2]) and counter(v[3]) and v[1],
    head = counter(v[2]) or 0, n = counter(v[3]) or 0, rev = counter(v[4]) or 0,
    reads = v[5] or '', length = redis.call('LLEN', list),
    unread = tonumber(v[6]), unread_key = v[7], unread_until = v[8], some_expired = v[9] == '1',
    complete = v[10] == '1' and is_whole,
    tail = tail, is_whole = is_whole, full = v[12] == '1',
    rev_epoch = v[13], reads_rev = v[14] == '-1' and -1 or counter(v[14]) or 0,
  }
end

-- Whether the list is what we left there, or more. One that is shorter was trimmed or deleted by
-- another service; so was one that grew and has another end, unless it was full: what a service
-- cuts off a full list after its LPUSH would have gone anyway. One without an expiry was begun by
-- another service.
local function is_warm(state)
  return state.epoch and state.length >= state.n
    and (state.n == 0 or ((state.is_whole or state.full) and redis.call('TTL', list) >= 0))
end

-- Notes a revision, so that a load which read the record earlier is refused.
local function note_rev(state, epoch, rev)
  if state.rev_epoch ~= epoch then state.rev, state.reads_rev = 0, -1 end
  state.rev = math.max(rev, state.rev)
  redis.call('HSET', companion, 'rev', state.rev, 'rev_epoch', epoch,
    'reads_rev', state.reads_rev)
end

-- How many of ours in the window are neither read nor expired, and whether some have expired:
-- derived, never counted. What was derived is kept beside the state it was derived from, since
-- looking through 100 elements costs more than all the rest of a read.
local function derive_unread(state, cap, now)
  local key = state.length .. ' ' .. state.head .. ' ' .. state.rev .. ' ' .. state.reads_rev
    .. ' ' .. state.tail
  if state.unread and state.unread_key == key and now < state.unread_until then
    return state.unread, state.some_expired
  end
  local read = {}
  for seq in string.gmatch(state.reads, '(%d+)=') do read[tonumber(seq)] = true end
  local unread, until_when, some_expired = 0, NEVER, false
  for _, element in ipairs(redis.call('LRANGE', list, 0, cap - 1)) do
    local seq = our_seq(element)
    if seq then
      local expires = expires_at(element)
      if expires <= now then
        some_expired = true
      else
        if expires < until_when then until_when = expires end
        if not read[seq] then unread = unread + 1 end
      end
    end
  end
  -- A read must not fail because Redis is full or a replica.
  redis.pcall('HSET', companion, 'unread', unread, 'unread_key', key,
    'unread_until', until_when, 'some_expired', some_expired and 1 or 0)
  return unread, some_expired
end
