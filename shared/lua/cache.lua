-- What the scripts of the cache share; it stands in front of each of them.
--
-- KEYS[1]   value      the resource's own key: plain JSON, which other services may write too
-- KEYS[2]   companion  bw:meta:{key}: what was decided about the value that expires at `exp`:
--                      "kind exp fresh at age delta etag limits", the last left out where empty
--                      versions of its tags when it was fetched, separated by spaces
--                      "cool code sha"
--                      the origin's ETag, or nothing
--                      the origin's Last-Modified, or nothing
--   kind    "v" it may be served, "n" the source knows nothing, "e" it may not be served and the
--           source failed, "p" the source forbids storing
--   exp     PEXPIRETIME of the value then; another one means that somebody else wrote or deleted it
--   fresh   until when it is fresh, ms
--   at      when that was, ms
--   age     how old the content was then, ms: the origin's Age
--   delta   what fetching it cost, ms
--   etag    of the value, without quotes; "" where another service wrote it. SET … KEEPTTL of another
--           service shows nowhere else: readers compare it with what they serve
--   limits  what its source demands of whoever keeps it, as runtime::cache::Limits writes it; in it
--           s<ms> and e<ms> shorten the policy's times for stale values and for failures
--   cool    nobody asks the source before, ms; 0 unless it failed
--   code    how it failed, "-" where it did not
--   sha     SHA-1 of the value
-- KEYS[3]   lease      bw:lease:{key}, lines as they were when it was taken: token, exp, tags, and the
--                      SHA-1 of the value, or nothing where there was none
-- KEYS[4…]  tags       bw:tag:{tag}: "history/change soft hard": a random word since the tag is known
--                      without a break and another one since its last invalidation, together its
--                      version; when it was last invalidated either way, ms, 0 if never
--
-- Whatever is no string counts as missing, and is replaced when it would be written.
--
-- Time is Redis TIME: the only clock that all callers share. Redis judges expiry by the moment at
-- which a script began, so a key may be there for as long as the script has been running.

local value_key, companion, lease_key = KEYS[1], KEYS[2], KEYS[3]

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The companion's content; nil for none and for what is none.
local function decided(text)
  if not text then return nil end
  local kind, exp, fresh, at, age, delta, etag, limits, tags, cool, code, sha, origin_etag,
    origin_modified = string.match(text, '^([vnep]) (-?%d+) (%d+) (%d+) (%d+) (%d+) (%S*) ?(%S*)\n'
      .. '([^\n]*)\n(%d+) (%S+) (%S*)\n([^\n]*)\n([^\n]*)$')
  if not kind then return nil end
  return { kind = kind, exp = tonumber(exp), at = tonumber(at), fresh = tonumber(fresh),
    age = tonumber(age), delta = tonumber(delta), cool = tonumber(cool), code = code,
    etag = etag, limits = limits, sha = sha, tags = tags, origin_etag = origin_etag,
    origin_modified = origin_modified }
end

-- Writes the companion, which goes when the value does. An error is returned, not raised.
local function decide(meta, expires_at)
  local numbers = table.concat({ meta.kind, meta.exp, meta.fresh, meta.at, meta.age or 0,
    meta.delta or 0, meta.etag or '' }, ' ')
  if meta.limits and meta.limits ~= '' then numbers = numbers .. ' ' .. meta.limits end
  local failure = table.concat({ meta.cool or 0, meta.code or '-', meta.sha or '' }, ' ')
  return redis.pcall('SET', companion, table.concat({ numbers, meta.tags, failure,
    meta.origin_etag or '', meta.origin_modified or '' }, '\n'), 'PXAT', expires_at)
end

-- Versions of the tags among what MGET of all KEYS gave; "?" for one that is missing.
local function versions_of(got)
  if #KEYS == 3 then return '' end
  local versions = {}
  for i = 4, #KEYS do
    versions[i - 3] = got[i] and string.match(got[i], '^([^/%s]+/%S*) %d+ %d+$') or '?'
  end
  return table.concat(versions, ' ')
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- Begins a history for tags that have none among `got`: what was tagged with a lost one does not come
-- back. An error is returned, not raised.
local function complete_tags(got, token, now, tag_keep_ms)
  for i = 4, #KEYS do
    if not got[i] or not string.match(got[i], '^[^/%s]+/%S* %d+ %d+$') then
      got[i] = token .. '.' .. now .. '.' .. i .. '/ 0 0'
      local problem = failed(redis.pcall('SET', KEYS[i], got[i], 'PX', tag_keep_ms))
      if problem then return problem end
    end
  end
end
