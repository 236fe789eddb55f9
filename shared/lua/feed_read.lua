-- @include feed
-- Reads a page of a feed and the number of unread entries.
--
-- ARGV[1]  limit      elements to return
-- ARGV[2]  cap        size of the feed window that `unread` counts in
-- ARGV[3]  now        RFC 3339, UTC, milliseconds: compares as text
-- ARGV[4]  direction  "newest" | "before" | "after"
-- ARGV[5]  cursor     id of an element, or "~<seq>.<k>": the k-th element above ours with seq
--                     (seq 0: counted from below the last element)
-- ARGV[6]  unread     "1": only unread elements of ours
--
-- Returns {"cold"} if the feed must be loaded from the record first, {"gone", unread} if the list
-- has no element for the cursor, else {"warm", page}. A page is one string, since every element of
-- a reply costs the component about half a microsecond:
--   <unread> <lowest> <more> <next> <reads> RS element RS element ...
--   RS        U+001E, as in RFC 7464: no JSON text contains it
--   elements  newest first, without expired ones of ours
--   lowest    the record has entries below this seq that the list lacks; 0 if it has none, or if
--             the page does not reach the end of the list
--   more      1 if the list has further elements in the direction of the page
--   next      cursor of the page's last element in that direction, "-" for an empty page
--   reads     as in the companion, and `their_reads` behind it
--
-- Most of the time is spent on creating Lua strings: Redis hashes every byte of each.

local limit, cap, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local direction, cursor, is_unread_only = ARGV[4], ARGV[5], ARGV[6] == '1'

local state, v = feed_state_with_reads('their_reads')
local elements = direction == 'newest' and redis.call('LRANGE', list, 0, limit - 1)
-- Also a foreign list beside a companion that says "empty": loading gives it an expiry.
if not is_warm(state, elements)
  or (state.length > 0 and state.n == 0 and redis.call('TTL', list) < 0) then
  return {'cold'}
end
local unread, some_expired = derive_unread(state, cap, now)

-- The first `count` elements as a page.
local function page_of(elements, count, lowest, more, next)
  elements[0] = unread .. ' ' .. lowest .. ' ' .. more .. ' ' .. next .. ' ' .. state.reads
    .. (v[13] or '')
  return {'warm', table.concat(elements, '\30', 0, count)}
end

-- The usual call, the newest page without expired entries in the feed window, does not read the
-- rest of the list.
if elements and not some_expired and not is_unread_only then
  local count, more = #elements, state.length > limit and '1' or '0'
  local seq = count > 0 and (more == '1' or not state.complete) and our_seq(elements[count])
  if seq or (more == '0' and state.complete) then
    local next = seq and string.sub(elements[count], 8, 43) or '-'
    return page_of(elements, count, more == '0' and seq or '0', more, next)
  end
end

local read = {}
if is_unread_only then
  for seq in string.gmatch(state.reads, '(%d+)=') do read[tonumber(seq)] = true end
end

local function is_shown(element)
  if not some_expired and not is_unread_only then return true end
  local seq, is_muted = our_seq_and_muted(element)
  if is_unread_only and (not seq or is_muted or read[seq]) then return false end
  return not seq or expires_at(element) > now
end

-- Index of the cursor's element, from 1.
local function find(elements)
  local seq, k = string.match(cursor, '^~(%d+)%.(%d+)$')
  local at = nil
  if not seq then
    for i, element in ipairs(elements) do
      if has_id(element, cursor) then return i end
    end
  elseif tonumber(seq) == 0 then
    at = #elements + 1 - tonumber(k)
  else
    for i, element in ipairs(elements) do
      if our_seq(element) == tonumber(seq) then at = i - tonumber(k) break end
    end
  end
  return at and elements[at] and at
end

-- Cursor of the element at an index: the id for ours, else the distance above the next one of ours
-- below.
local function cursor_at(elements, at)
  for i = at, #elements do
    local seq = our_seq(elements[i])
    if seq then
      return i == at and string.sub(elements[i], 8, 43) or '~' .. seq .. '.' .. (i - at)
    end
  end
  return '~0.' .. (#elements + 1 - at)
end

elements = redis.call('LRANGE', list, 0, cap - 1)
local first, last, step = 1, #elements, 1
if direction ~= 'newest' then
  local at = find(elements)
  if not at then return {'gone', unread} end
  if direction == 'before' then first = at + 1 else first, last, step = at - 1, 1, -1 end
end

local page, more, final = {}, '0', nil
for i = first, last, step do
  if is_shown(elements[i]) then
    if #page == limit then more = '1' break end
    page[#page + 1] = elements[i]
    final = i
  end
end

local lowest = 0
-- A list that another service made longer than the feed window is not scanned to its end.
if more == '0' and step == 1 and not (state.complete and state.length <= cap) then
  lowest = state.head + 1
  for i = #elements, 1, -1 do
    local seq = our_seq(elements[i])
    if seq then lowest = seq break end
  end
end

if step == -1 then
  for i = 1, math.floor(#page / 2) do
    page[i], page[#page + 1 - i] = page[#page + 1 - i], page[i]
  end
end
return page_of(page, #page, lowest, more, final and cursor_at(elements, final) or '-')
