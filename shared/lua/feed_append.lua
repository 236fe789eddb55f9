-- Prelude of the scripts that append notifications to a feed in the order of the record and publish
-- them (mode `push`), or load a cold feed from it. `append` works on the keys in `list` and `companion`
-- of feed.lua, which a script for many users sets before each call.
--
-- args[1]  mode           "push" | "load"
-- args[2]  epoch          of the record
-- args[3]  after          the entries below are all entries of the record above this seq
-- args[4]  publish_after  publish only entries above it (the others were published before)
-- args[5]  cap            maximum length of the list
-- args[6]  ttl_s          expiry of both keys
-- args[7]  head           load: the record's counter (the newest entries may be deleted)
-- args[8]  rev            load: revision of the record that the entries were read at
-- args[9]  reads          load: the record's read marks
-- args[10] channels       see publish.lua
-- args[11..] seq, json, expires_ms   triples, oldest first; expires_ms is Unix time, 0: never,
--                                    -1: the entry is muted, -1 - first: it is imported, and so is
--                                    every entry of the record from seq `first` on to it; behind a
--                                    space, the caller's traceparent, which is published with the entry
--
-- Returns one of
--   {"ok", head}        everything up to head is in the feed and published
--   {"cold", 0}         push: the feed is not known under this epoch; load it
--   {"gap", head}       push: entries between head and `after` are missing; include them
--   {"conflict", seq}   the feed has other bytes at this seq: the entry was deleted meanwhile, or
--                       the record was rolled back
--   {"old", head}       the feed is so far ahead that it cannot show whether it had the entries:
--                       the record was rolled back if its counter is below head
--   {"outdated", rev}   load: the record was at this revision already; read again
--   {"untold", seq, why}  everything is in the feed, but published only up to seq: Redis denies
--                       PUBLISH or SPUBLISH, or lacks the latter. The next call begins there, so
--                       that nothing is appended twice.
--
-- If a command is denied before the first write, nothing has changed; after it, list and companion
-- still agree.
--
-- Muted and imported entries are not published: existing services and clients must not show them as
-- new. Hubs are told of their places by an event, on the channel of events and the user's own one, so
-- that they do not take the next entry for a jump: one event for each muted entry, one for a run of
-- imported ones.
--
-- Imported entries come to a feed by a load, which has their read marks, and lie below the foreign
-- elements that are on top of the list then: those are newer than any history.
--
-- JSON is passed through as bytes: cjson would turn [] into {} and round large integers.

local function append(args)
  local mode, epoch = args[1], args[2]
  local common, own = channels_of(args[10])
  local after, publish_after = tonumber(args[3]), tonumber(args[4])
  local cap, ttl_s = tonumber(args[5]), tonumber(args[6])
  local FIRST, STEP = 11, 3

  local state, v = feed_state('rev', 'rev_epoch', 'told', 'their_reads')
  add_revision(state, v[7], v[8])
  state.told = told_of(state, v[9])
  local head, warm = state.head, is_warm(state) and state.epoch == epoch

  -- The two parts of the third argument of an entry: a number, and the member of the message.
  local function parts(expiry)
    local space = string.find(expiry, ' ', 1, true)
    if not space then return tonumber(expiry), '' end
    local trace = ',"trace":"' .. string.sub(expiry, space + 1) .. '"'
    return tonumber(string.sub(expiry, 1, space - 1)), trace
  end

  -- Expired entries keep their place for the order, but are neither published nor shown.
  local now_ms
  for i = FIRST + 2, #args, STEP do
    if parts(args[i]) > 0 and not now_ms then
      local time = redis.call('TIME')
      now_ms = time[1] * 1000 + time[2] / 1000
    end
  end

  -- The place of an entry as the end of a message, with `more` members.
  local function place_of(seq, more)
    return ',"bw":{"epoch":"' .. epoch .. '","seq":' .. string.format('%d', seq) .. more .. '}}'
  end

  -- Tells hubs of the place of a muted entry, or of those of imported ones from `first` on. Returns
  -- the problem if that failed.
  local function publish_quiet(seq, first)
    local user = string.sub(list, #'notifications:' + 1)
    local place = place_of(seq, first and ',"first":' .. string.format('%d', first) or '')
    return publish_on(common and EVENTS, own, '{"type":"muted","userId":"' .. user .. '"' .. place)
  end

  -- Tells of one entry, unless it is expired. Returns the problem if that failed.
  local function publish_entry(seq, json, expiry)
    local expires_ms, trace = parts(expiry)
    if expires_ms == -1 then
      return publish_quiet(seq)
    elseif expires_ms == 0 or expires_ms > now_ms then
      return publish_on(common, own, '{"notification":' .. json .. place_of(seq, trace))
    end
  end

  -- The seq from which on all entries up to an imported one are imported; nil for another entry.
  local function imported_from(expiry)
    local first = -1 - parts(expiry)
    return first > 0 and first or nil
  end

  -- Publishes the entries above `told`. Returns the seq reached, and the problem that stopped it.
  local function publish(told, head)
    local run_from, run_to -- entries between them that `args` lacks are deleted
    for i = FIRST, #args, STEP do
      local seq, from = tonumber(args[i]), imported_from(args[i + 2])
      if seq > told then
        if from then
          run_from, run_to = run_from or math.max(from, told + 1), seq
        else
          local problem = run_from and publish_quiet(run_to, run_from)
          if problem then return run_from - 1, problem end
          run_from, problem = nil, publish_entry(seq, args[i + 1], args[i + 2])
          if problem then return seq - 1, problem end
        end
      end
    end
    local problem = run_from and publish_quiet(run_to, run_from)
    if problem then return run_from - 1, problem end
    return head
  end

  -- Stores the list's new state, publishes, and returns the answer. `first` is the first element,
  -- or nil if it is ours with seq `head`; the rest as for `publish`. Trims last, when the companion
  -- describes the trimmed list.
  local function finish(head, length, complete, first, ...)
    local is_over = length > cap
    if is_over then length, complete = cap, false end
    redis.call('HSET', companion, 'epoch', epoch, 'head', head, 'n', length,
      'complete', complete and 1 or 0, 'tail', fingerprint_at(is_over and cap - 1 or -1),
      'full', length >= cap and 1 or 0, 'unread_n', '')
    if first and our_seq(first) ~= head then
      redis.call('HSET', companion, 'top', fingerprint(first))
    end
    local told, problem = publish(...)
    if told < head or state.told < state.head then
      redis.call('HSET', companion, 'told', told < head and told or '')
    end
    if is_over then redis.call('LTRIM', list, 0, cap - 1) end
    redis.call('EXPIRE', list, ttl_s)
    redis.call('EXPIRE', companion, ttl_s)
    if told < head then return {'untold', told, problem} end
    return {'ok', head}
  end

  -- Whether an entry at or below head may be absent because it left the feed window. The length
  -- does not show it: a delete makes room that stays empty.
  local function below_window(seq)
    if state.complete then return false end
    local elements = redis.call('LRANGE', list, 0, -1)
    for i = #elements, 1, -1 do
      local oldest = our_seq(elements[i])
      if oldest then return seq < oldest end
    end
    return true
  end

  if mode == 'push' then
    if not warm then return {'cold', 0} end
    if after > state.told then return {'gap', state.told} end
  elseif state.rev_epoch == epoch and state.rev > tonumber(args[8]) then
    return {'outdated', state.rev}
  elseif not warm and state.epoch == epoch and head > tonumber(args[7]) then
    return {'old', head}
  end

  -- The newest imported entry that the feed lacks.
  local function newest_import()
    for i = #args - 2, FIRST, -STEP do
      local seq = tonumber(args[i])
      if seq <= head then return nil end
      if imported_from(args[i + 2]) then return seq end
    end
  end

  local brings_imports = mode == 'load' and warm and after <= head and newest_import()
  if brings_imports then
    for i = FIRST, #args, STEP do
      local seq = tonumber(args[i])
      if seq <= head and not redis.call('LPOS', list, args[i + 1]) and not below_window(seq) then
        return {'conflict', seq}
      end
    end
  elseif warm and after <= head then
    local length = state.length
    before_writing('HSET', companion)
    for i = FIRST, #args, STEP do
      local seq, json = tonumber(args[i]), args[i + 1]
      if seq > head then
        redis.call('LPUSH', list, json)
        length, head = length + 1, seq
      elseif not redis.call('LPOS', list, json) then
        if not below_window(seq) then
          return {'conflict', seq}
        elseif i + 2 == #args then
          return {'old', head}
        end
      end
    end
    local first = head == state.head and redis.call('LINDEX', list, 0)
    return finish(head, length, state.complete, first, math.max(state.told, publish_after), head)
  end

  -- Load: the record's newest entries, with foreign elements in their places. A foreign element
  -- stays above the nearest entry of ours below it, else below the nearest one above it.
  local known = {}
  for i = FIRST, #args, STEP do known[args[i + 1]] = tonumber(args[i]) end
  -- Seqs of another epoch are meaningless here; identical bytes are not.
  local same_epoch = not state.epoch or state.epoch == epoch
  local function anchor(element)
    return known[element] or same_epoch and our_seq(element) or nil
  end

  -- From the bottom, so that both runs merge from the oldest to the newest.
  local elements = redis.call('LRANGE', list, 0, 2 * cap - 1)
  local newest_present, foreign, below, lowest = 0, {}, nil, nil
  local on_top = 1 -- the first of the foreign ones above all of ours
  for i = #elements, 1, -1 do
    newest_present = math.max(newest_present, known[elements[i]] or 0)
    if our_seq(elements[i]) then
      below = anchor(elements[i]) or below
      lowest = lowest or below
      on_top = #foreign + 1
    else
      foreign[#foreign + 1] = {element = elements[i], at = below and below + 0.5}
    end
  end
  -- Foreign elements without ours below: under the lowest of ours. If the list has only foreign
  -- ones: above everything that the feed had before or, if that is unknown, that was published, and below
  -- the new entries. At the very bottom if the list belongs to a replaced record.
  local before = state.epoch and head or publish_after
  local bottom = lowest and lowest - 0.5 or (same_epoch and before + 0.5 or 0)

  -- The imported entries directly above what the feed had go below the foreign elements on top of
  -- it. Not in the list of a replaced record, which knows none of its elements.
  local newest_had = same_epoch and math.max(before, below or 0) or newest_present
  local newest_history = newest_had
  for i = FIRST, #args, STEP do
    local seq = tonumber(args[i])
    if seq > newest_had then
      if not imported_from(args[i + 2]) then break end
      newest_history = seq
    end
  end
  if newest_history > newest_had and (same_epoch or newest_had > 0) then
    for i = on_top, #foreign do foreign[i].at = newest_history + 0.5 end
  end

  local merged, next_foreign = {}, 1
  local function merge_foreign(seq)
    while foreign[next_foreign] and (foreign[next_foreign].at or bottom) < seq do
      merged[#merged + 1] = foreign[next_foreign].element
      next_foreign = next_foreign + 1
    end
  end
  for i = FIRST, #args, STEP do
    merge_foreign(tonumber(args[i]))
    merged[#merged + 1] = args[i + 1]
  end
  for i = next_foreign, #foreign do merged[#merged + 1] = foreign[i].element end

  before_writing('LPUSH', list, 'HSET', companion, 'EXPIRE', list)
  redis.call('DEL', list, companion)
  -- LPUSH of an ascending run leaves the newest in front; chunks stay below Lua's stack limit.
  for first = 1, #merged, 500 do
    redis.call('LPUSH', list, unpack(merged, first, math.min(first + 499, #merged)))
  end
  redis.call('HSET', companion, 'rev', args[8], 'rev_epoch', epoch, 'reads', args[9],
    'reads_rev', args[8])
  if v[10] then redis.call('HSET', companion, 'their_reads', v[10]) end
  -- Elements in the list were published when they were appended, possibly under an older epoch,
  -- unless that was denied. So were the entries below the newest of them, since appends are in
  -- order: other services' elements may have moved those out of the list.
  local new_head = tonumber(args[7])
  local told = warm and state.told
    or math.min(newest_present, state.epoch == epoch and state.told or new_head)
  return finish(new_head, #merged, after == 0, merged[#merged],
    math.max(publish_after, told), new_head)
end
