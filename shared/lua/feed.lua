-- Prelude of the feed scripts.
--
-- KEYS[1]  list       notifications:{user}, newest first
-- KEYS[2]  companion  hash:
--   epoch, head, n    the record's epoch, the newest seq appended, the length after our last write
--   tail              fingerprint of the last element after our last write
--   top               that of the first element, if it was not ours with seq `head`
--   full              "1" if the list had reached its maximum length then
--   told              newest seq published, if it is below `head` because Redis denied it
--   rev, rev_epoch    newest known revision of the record (marks, deletes and erases raise it), and
--                     the epoch it belongs to: another record counts anew
--   reads, reads_rev  "seq=ms;seq=ms;": entries marked as read and when, as of that revision
--   their_reads       "~id=ms;~id=ms;": foreign elements that are marked as read, and when
--   complete          "1" while the list holds every entry of the record
--   unread, unread_until
--                     a derived value, and the time until which it is valid
--   some_expired      the time from which it is valid, the latest at which one of ours expired, or
--                     "0": clocks differ between hosts, and go back
--   unread_n, unread_tail
--                     length and last element that they were derived from; our own writes clear
--                     unread_n
-- "Ours" are the elements that Bellwire's serialiser wrote, "foreign" those of other services.

local list, companion = KEYS[1], KEYS[2]
local NEVER = '~' -- sorts behind every RFC 3339 time

-- Seq of an element of ours, and whether it is muted: read from the start. Nil for a foreign one.
local function our_seq_and_muted(element)
  local seq, comma = string.match(element,
    '^{"id":"%x+%-%x+%-7%x%x%x%-%x+%-%x+","userId":"[^"]*","seq":(%d+)(),')
  -- The serialiser writes `"muted":true` behind it, or goes on with `"title"`.
  return tonumber(seq), seq and string.byte(element, comma + 2) == 109
end

-- Seq of an element of ours; nil for a foreign one.
local function our_seq(element)
  return (our_seq_and_muted(element))
end

-- Expiry time of an element of ours, which the serialiser writes last.
local function expires_at(element)
  return string.match(element, '"createdAt":"[^"]+","expiresAt":"([^"]+)"}$') or NEVER
end

-- Id of a foreign element: a text, or a number as text; nil if it has neither.
local function their_id(element)
  local known, object = pcall(cjson.decode, element)
  if not known or type(object) ~= 'table' then return nil end
  local id = object.id
  if type(id) == 'number' then return string.format('%.17g', id) end
  return type(id) == 'string' and id or nil
end

-- Whether the element has this id. Foreign ids may be numbers, and may be formatted differently.
local function has_id(element, id)
  if our_seq(element) then return string.sub(element, 8, 7 + #id) == id
    and string.sub(element, 8 + #id, 8 + #id) == '"' end
  return their_id(element) == id
end

-- The marks of foreign elements for the companion: `old` ones, and one of the time `ms` for each of
-- the ids in `wanted` without any. Only what the list holds is kept.
local function marks_of_theirs(old, wanted, ms)
  local known, marks = {}, {}
  for id, at in string.gmatch(old, '~([^=;]+)=(%d+);') do known[id] = at end
  for _, element in ipairs(redis.call('LRANGE', list, 0, -1)) do
    local id = not our_seq(element) and their_id(element)
    local at = id and (known[id] or wanted[id] and ms)
    if at then
      marks[#marks + 1] = '~' .. id .. '=' .. at .. ';'
      known[id], wanted[id] = nil, nil
    end
  end
  return table.concat(marks)
end

-- Identifies an element. Ours have their id at the front and their creation time at the end.
local function fingerprint(element)
  return string.sub(element, 1, 44) .. string.sub(element, -20)
end

local function fingerprint_at(index)
  return fingerprint(redis.call('LINDEX', list, index) or '')
end

-- The value of a counter; nil if another service wrote something else there.
local function counter(text)
  local n = tonumber(text)
  return n and n >= 0 and n < 2 ^ 53 and n % 1 == 0 and n or nil
end

-- The state that decides whether a feed is warm, and further fields of the companion in the same
-- call, since each field costs a quarter of a microsecond. Returns the state and all values;
-- further fields begin at 7. Without valid counters a feed is cold.
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

-- The state with the fields that `unread` is derived from.
local function feed_state_with_reads(...)
  local state, v = feed_state('reads', 'unread', 'unread_n', 'unread_tail', 'unread_until',
    'some_expired', ...)
  state.reads, state.unread = v[7] or '', v[10] == state.tail and v[8]
  state.unread_n, state.unread_until, state.some_expired = tonumber(v[9]), v[11], v[12] or '0'
  return state, v
end

-- Adds the record's known revision, and that of the marks, from the values of `rev`, `rev_epoch`
-- and `reads_rev`.
local function add_revision(state, rev, rev_epoch, reads_rev)
  state.rev, state.rev_epoch = counter(rev) or 0, rev_epoch
  state.reads_rev = reads_rev == '-1' and -1 or counter(reads_rev) or 0
end

-- The seq up to which everything was published.
local function told_of(state, told)
  return math.min(counter(told) or state.head, state.head)
end

-- Whether the element was the first one after our last write. Ours with seq `head` is recognised by
-- the seq at the serialiser's position, since parsing an element costs a microsecond.
local function was_first(state, element)
  if not element then return false end
  local seq = '","seq":' .. state.head_text .. ','
  if string.find(element, seq, 44, true) == 42 + #list then return true end
  state.top = state.top or redis.call('HGET', companion, 'top') or ''
  return fingerprint(element) == state.top
end

-- Whether the element that was first is where other services' elements have moved it. It is not if
-- a service removed elements and added others, even with the same length. `elements` are the list's
-- first ones, if the caller has them.
local function is_first_in_place(state, elements)
  if state.is_whole then
    local above = state.length - state.n
    return was_first(state, elements and elements[above + 1] or redis.call('LINDEX', list, above))
  end
  -- Another service added to a full list and trimmed it: the number of elements is unknown.
  for i, element in ipairs(redis.call('LRANGE', list, 0, state.n - 1)) do
    if was_first(state, element) then
      state.trimmed_above = i - 1
      return true
    end
  end
  return false
end

-- Whether the list is as we left it, or has grown. A shorter one was trimmed or deleted by another
-- service. So was one with another end, unless it was full: what a service trims after its LPUSH
-- would have been dropped anyway. A list without an expiry was created by another service.
local function is_warm(state, elements)
  return state.epoch and state.length >= state.n
    and (state.n == 0 or ((state.is_whole or state.full) and redis.call('TTL', list) >= 0
      and is_first_in_place(state, elements)))
end

-- Notes a revision, so that a load from an earlier read of the record is rejected.
local function note_rev(state, epoch, rev)
  if state.rev_epoch ~= epoch then state.rev, state.reads_rev = 0, -1 end
  state.rev = math.max(rev, state.rev)
  redis.call('HSET', companion, 'rev', state.rev, 'rev_epoch', epoch,
    'reads_rev', state.reads_rev, 'unread_n', '')
  state.unread_n = nil
end

-- The number of ours in the feed window that are neither read, muted nor expired, and whether some are
-- expired. Derived, never counted; cached with the state it was derived from, since scanning 100
-- elements costs more than the rest of a read. Sets `state.unread_until`.
local function derive_unread(state, cap, now)
  if state.unread and state.unread_n == state.length and now < state.unread_until
    and now >= state.some_expired then
    return state.unread, state.some_expired ~= '0'
  end
  local read = {}
  for seq in string.gmatch(state.reads, '(%d+)=') do read[tonumber(seq)] = true end
  local unread, until_when, some_expired = 0, NEVER, '0'
  for _, element in ipairs(redis.call('LRANGE', list, 0, cap - 1)) do
    local seq, is_muted = our_seq_and_muted(element)
    if seq then
      local expires = expires_at(element)
      if expires <= now then
        if expires > some_expired then some_expired = expires end
      else
        if expires < until_when then until_when = expires end
        if not is_muted and not read[seq] then unread = unread + 1 end
      end
    end
  end
  state.unread_until = until_when
  -- A read must succeed even if Redis is full or a replica. The companion of a warm feed exists: no
  -- move of its slot can be the reason of a failure.
  redis.pcall('HSET', companion, 'unread', unread, 'unread_n', state.length,
    'unread_tail', state.tail, 'unread_until', until_when,
    'some_expired', some_expired)
  if state.trimmed_above then
    -- Scanned only once: from now on both ends show again whether the list is untouched.
    redis.pcall('HSET', companion, 'n', state.length - state.trimmed_above, 'tail', state.tail,
      'complete', 0)
  end
  return unread, some_expired ~= '0'
end

-- The text of an event for the user's sockets. `start` is its JSON text up to the value of
-- `unread`; until the time `until_when` (NEVER for no end) no entry that it counts expires.
local function event_text(start, unread, until_when)
  return start .. unread .. ',"until":"' .. until_when .. '"}'
end
