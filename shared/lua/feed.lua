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
--   unread, some_expired, unread_until
--                     what was derived, and until when it holds
--   unread_n, unread_tail
--                     length and last element that it was derived from; our own writes clear
--                     unread_n

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

-- Tells whether the last element is still the same one. Ours have their id in front, and when they
-- were made at the end.
local function fingerprint()
  local last = redis.call('LINDEX', list, -1) or ''
  return string.sub(last, 1, 44) .. string.sub(last, -20)
end

-- A counter of ours; nil for what is none, as somebody else may have written it.
local function counter(text)
  local n = tonumber(text)
  return n and n >= 0 and n < 2 ^ 53 and n % 1 == 0 and n or nil
end

-- What a read needs to know, in one call. Without sound counters a feed is cold.
local function feed_state()
  local v = redis.call('HMGET', companion, 'epoch', 'head', 'n', 'tail', 'full', 'complete', 'reads',
    'unread', 'unread_n', 'unread_tail', 'unread_until', 'some_expired')
  local tail = fingerprint()
  local is_whole = v[4] == tail
  local head, n = counter(v[2]), counter(v[3])
  return {
    epoch = head and n and v[1], head = head or 0, n = n or 0,
    length = redis.call('LLEN', list), tail = tail, is_whole = is_whole, full = v[5] == '1',
    complete = v[6] == '1' and is_whole, reads = v[7] or '',
    unread = v[10] == tail and v[8], unread_n = tonumber(v[9]),
    unread_until = v[11], some_expired = v[12] == '1',
  }
end

-- What a write needs to know besides: the revision of the record that is known here.
local function add_revision(state)
  local v = redis.call('HMGET', companion, 'rev', 'rev_epoch', 'reads_rev')
  state.rev, state.rev_epoch = counter(v[1]) or 0, v[2]
  state.reads_rev = v[3] == '-1' and -1 or counter(v[3]) or 0
  return state
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
    'reads_rev', state.reads_rev, 'unread_n', '')
  state.unread_n = nil
end

-- How many of ours in the window are neither read nor expired, and whether some have expired:
-- derived, never counted. What was derived is kept beside the state it was derived from, since
-- looking through 100 elements costs more than all the rest of a read.
local function derive_unread(state, cap, now)
  if state.unread and state.unread_n == state.length and now < state.unread_until then
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
  redis.pcall('HSET', companion, 'unread', unread, 'unread_n', state.length,
    'unread_tail', state.tail, 'unread_until', until_when,
    'some_expired', some_expired and 1 or 0)
  return unread, some_expired
end
