-- What the scripts of a feed share; it stands in front of each of them.
--
-- KEYS[1]  list       notifications:{user}, newest first
-- KEYS[2]  companion  hash:
--   epoch, head, n    the record's epoch, the newest seq pushed, length after our last write
--   tail              fingerprint of the last element after our last write
--   top               that of the first element, where it was not ours with seq `head`
--   full              "1" when the list had no room left then
--   told              newest seq that was published, where it is not `head` as Redis refused more
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

-- Tells whether an element is still the same one. Ours have their id in front, and when they were
-- made at the end.
local function fingerprint(element)
  return string.sub(element, 1, 44) .. string.sub(element, -20)
end

local function fingerprint_at(index)
  return fingerprint(redis.call('LINDEX', list, index) or '')
end

-- A counter of ours; nil for what is none, as somebody else may have written it.
local function counter(text)
  local n = tonumber(text)
  return n and n >= 0 and n < 2 ^ 53 and n % 1 == 0 and n or nil
end

-- What tells whether a feed is warm, in one call with further fields of the companion: each of them
-- costs a quarter of a microsecond. Their values come second, from 7 on. Without sound counters a feed
-- is cold.
local function feed_state(...)
  local v = redis.call('HMGET', companion, 'epoch', 'head', 'n', 'tail', 'full', 'complete', ...)
  local tail = fingerprint_at(-1)
  local is_whole = v[4] == tail
  local head, n = counter(v[2]), counter(v[3])
  return {
    epoch = head and n and v[1], head = head or 0, head_text = v[2] or '', n = n or 0,
    length = redis.call('LLEN', list), tail = tail, is_whole = is_whole, full = v[5] == '1',
    complete = v[6] == '1' and is_whole,
  }, v
end

-- With what is needed to know what is unread.
local function feed_state_with_reads(...)
  local state, v = feed_state('reads', 'unread', 'unread_n', 'unread_tail', 'unread_until',
    'some_expired', ...)
  state.reads, state.unread = v[7] or '', v[10] == state.tail and v[8]
  state.unread_n, state.unread_until, state.some_expired = tonumber(v[9]), v[11], v[12] == '1'
  return state, v
end

-- The revision of the record that is known here, and that of the marks, from the values of `rev`,
-- `rev_epoch` and `reads_rev`.
local function add_revision(state, rev, rev_epoch, reads_rev)
  state.rev, state.rev_epoch = counter(rev) or 0, rev_epoch
  state.reads_rev = reads_rev == '-1' and -1 or counter(reads_rev) or 0
end

-- Up to which seq everything was published.
local function told_of(state, told)
  return math.min(counter(told) or state.head, state.head)
end

-- Whether an element is the one that was first after our last write. For ours with seq `head`, told
-- by the place where the serialiser puts the seq, since taking elements apart costs a microsecond.
local function was_first(state, element)
  if not element then return false end
  local seq = '","seq":' .. state.head_text .. ','
  if string.find(element, seq, 44, true) == 42 + #list then return true end
  state.top = state.top or redis.call('HGET', companion, 'top') or ''
  return fingerprint(element) == state.top
end

-- Whether the element that was first lies where the pushes of other services have moved it. It does
-- not when somebody took elements away and pushed others, whatever the length says. `elements` are
-- the list's first ones, where the caller has them already.
local function is_first_in_place(state, elements)
  if state.is_whole then
    local above = state.length - state.n
    return was_first(state, elements and elements[above + 1] or redis.call('LINDEX', list, above))
  end
  -- A full list that somebody pushed to and trimmed: by how much is not known.
  for i, element in ipairs(redis.call('LRANGE', list, 0, state.n - 1)) do
    if was_first(state, element) then
      state.trimmed_above = i - 1
      return true
    end
  end
  return false
end

-- Whether the list is what we left there, or more. One that is shorter was trimmed or deleted by
-- another service; so was one that grew and has another end, unless it was full: what a service
-- cuts off a full list after its LPUSH would have gone anyway. One without an expiry was begun by
-- another service.
local function is_warm(state, elements)
  return state.epoch and state.length >= state.n
    and (state.n == 0 or ((state.is_whole or state.full) and redis.call('TTL', list) >= 0
      and is_first_in_place(state, elements)))
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
  if state.trimmed_above then
    -- Looked through once: from here on both ends tell again whether it is untouched.
    redis.pcall('HSET', companion, 'n', state.length - state.trimmed_above, 'tail', state.tail,
      'complete', 0)
  end
  return unread, some_expired
end
