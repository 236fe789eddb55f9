-- Prelude of the cache scripts.
--
-- KEYS[1]   value      the resource's own key: plain JSON, which other services may write too
-- KEYS[2]   companion  bw:meta:{key}: metadata of the value that expires at `exp`, in lines:
--                      "kind exp fresh at age delta etag limits", without the last if it is empty
--                      versions of its tags when it was fetched, separated by spaces
--                      "cool code sha"
--                      the origin's ETag, or nothing
--                      the origin's Last-Modified, or nothing
--   kind    "v" may be served, "n" not found in the source, "e" may not be served and the source
--           failed, "p" the source forbids storing
--   exp     PEXPIRETIME of the value at that time; if it differs, another service has written or
--           deleted the value
--   fresh   time until which the value is fresh, ms
--   at      time of the fetch, ms
--   age     age of the content at that time, ms: the origin's Age
--   delta   duration of the fetch, ms
--   etag    of the value, without quotes; "" for a value of another service. Readers compare it
--           with what they serve, since nothing else shows another service's SET … KEEPTTL
--   limits  the source's demands on caches, as written by runtime::cache::Limits; s<ms> and e<ms>
--           shorten the policy's times for stale values and for failures
--   cool    no fetch before this time, ms; 0 unless the source failed
--   code    error code of the failure, "-" if there is none
--   sha     SHA-1 of the value
-- KEYS[3]   lease      bw:lease:{key}, lines as of when it was taken: token, exp, tags, the SHA-1
--                      of the value or nothing if there was no value, and the time at which it
--                      ends, ms
-- KEYS[4…]  tags       bw:tag:{tag}: "history/change soft hard". history is a random word, new
--                      after the tag was lost; change is another, new after each invalidation;
--                      together they are the tag's version. soft and hard are the times of the
--                      last invalidation of either kind, ms, 0 if there was none. On a cluster
--                      tags are in other slots: their texts, which cache_versions.lua has read, are
--                      at the end of ARGV instead, "" for one that could not be written. An
--                      invalidation after that shows in the next comparison of versions.
--
-- A key that is not a string counts as missing, and the next write replaces it.
--
-- Time is Redis TIME: the only clock that all callers share. Redis decides on expiry by the time at
-- which the script began, so a key may still exist while the script runs.

local value_key, companion, lease_key = KEYS[1], KEYS[2], KEYS[3]

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The parsed companion; nil if missing or malformed.
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

-- Writes the companion, which expires with the value. An error is returned, not raised.
local function decide(meta, expires_at)
  local numbers = table.concat({ meta.kind, meta.exp, meta.fresh, meta.at, meta.age or 0,
    meta.delta or 0, meta.etag or '' }, ' ')
  if meta.limits and meta.limits ~= '' then numbers = numbers .. ' ' .. meta.limits end
  local failure = table.concat({ meta.cool or 0, meta.code or '-', meta.sha or '' }, ' ')
  return redis.pcall('SET', companion, table.concat({ numbers, meta.tags, failure,
    meta.origin_etag or '', meta.origin_modified or '' }, '\n'), 'PXAT', expires_at)
end

-- Index of the last tag.
local last_tag = #KEYS

-- The MGET of all KEYS, and behind it the tags in ARGV from `first` on.
local function get_all(first)
  local got = redis.call('MGET', unpack(KEYS))
  for i = first, #ARGV do
    last_tag = i - first + 4
    got[last_tag] = ARGV[i]
  end
  return got
end

-- Versions of the tags in `got`; "?" for a missing one.
local function versions_of(got)
  if last_tag == 3 then return '' end
  local versions = {}
  for i = 4, last_tag do
    versions[i - 3] = got[i] and string.match(got[i], '^([^/%s]+/%S*) %d+ %d+$') or '?'
  end
  return table.concat(versions, ' ')
end

local function failed(reply)
  return type(reply) == 'table' and reply.err
end

-- Gives tags that are missing in `got` a new history: values with the lost one stay invalid. An
-- error is returned, not raised.
local function complete_tags(got, token, now, tag_keep_ms)
  for i = 4, last_tag do
    if not got[i] or not string.match(got[i], '^[^/%s]+/%S* %d+ %d+$') then
      if not KEYS[i] then return 'ERR a tag cannot be written' end
      got[i] = token .. '.' .. now .. '.' .. i .. '/ 0 0'
      local problem = failed(redis.pcall('SET', KEYS[i], got[i], 'PX', tag_keep_ms))
      if problem then return problem end
    end
  end
end
