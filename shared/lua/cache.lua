-- What the scripts of the cache share; it stands in front of each of them.
--
-- KEYS[1]   value      the resource's own key: plain JSON, which other services may write too
-- KEYS[2]   companion  bw:meta:{key}, lines: what was decided about the value that expires at `exp`
--   kind    "v" it may be served, "n" the source knows nothing, "e" it may not be served and the
--           source failed, "p" the source forbids storing
--   exp     PEXPIRETIME of the value then; another one means that somebody else wrote or deleted it
--   at      when that was, ms
--   fresh   until when it is fresh, ms
--   age     how old the content was then, ms: the origin's Age
--   delta   what fetching it cost, ms
--   cool    nobody asks the source before, ms; 0 unless it failed
--   code    how it failed, "-" where it did not
--   etag    of the value, without quotes; "" where another service wrote it
--   sha     SHA-1 of the value
--   tags    versions of its tags when it was fetched, separated by spaces
--   origin's ETag, origin's Last-Modified
-- KEYS[3]   lease      bw:lease:{key}, lines: token, exp and tags as above when it was taken
-- KEYS[4…]  tags       bw:tag:{tag}: "version soft hard born": when it was last invalidated either
--                      way, 0 if never, and when this version of its history began, ms
--
-- Time is Redis TIME: the only clock that all callers share. It stands still within a script.

local value_key, companion, lease_key = KEYS[1], KEYS[2], KEYS[3]

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The companion's content; nil for none and for what is none.
local function decided(text)
  if not text then return nil end
  local kind, exp, at, fresh, age, delta, cool, code, etag, sha, tags, origin_etag,
    origin_modified = string.match(text, '^([vnep])\n(-?%d+)\n(%d+)\n(%d+)\n(%d+)\n(%d+)\n'
      .. '(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)$')
  if not kind then return nil end
  return { kind = kind, exp = tonumber(exp), at = tonumber(at), fresh = tonumber(fresh),
    age = tonumber(age), delta = tonumber(delta), cool = tonumber(cool), code = code,
    etag = etag, sha = sha, tags = tags, origin_etag = origin_etag, origin_modified = origin_modified }
end

-- Writes the companion, which goes when the value does. An error is returned, not raised.
local function decide(meta, expires_at)
  return redis.pcall('SET', companion, table.concat({ meta.kind, meta.exp, meta.at, meta.fresh,
    meta.age or 0, meta.delta or 0, meta.cool or 0, meta.code or '-', meta.etag or '',
    meta.sha or '', meta.tags, meta.origin_etag or '', meta.origin_modified or '' }, '\n'),
    'PXAT', expires_at)
end

-- Versions of the tags among what MGET of all KEYS gave; "?" for one that is missing.
local function versions_of(got)
  if #KEYS == 3 then return '' end
  local versions = {}
  for i = 4, #KEYS do
    versions[i - 3] = got[i] and string.match(got[i], '^(%S+) %d+ %d+ %d+$') or '?'
  end
  return table.concat(versions, ' ')
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end
