-- @include cache
-- Reads a cached value and decides in the same step what its reader has to do.
--
-- ARGV[1]  chance   −1000 ln(u), u random in (0, 1]: early refresh (XFetch, see
--                   doi 10.14778/2757807.2757813)
-- ARGV[2]  lease    "token lease fresh stale error keep tag_keep": token and duration of the lease
--                   that this reader may take, and the policy's times, ms. One argument, because
--                   each costs a microsecond.
-- ARGV[3]  inm      If-None-Match of the reader; optional
-- ARGV[4]  reject   PEXPIRETIME of a value that the reader found not to be JSON; optional
-- ARGV[5..] tags    see cache.lua
--
-- Returns {"status age ttl fresh exp code etag", body, validators}: age of the content and
-- remaining time of freshness, ms (so now is fresh - ttl); etag as written with the body ("-" if
-- another service wrote it, so that the body is as unknown as one with a new etag); validators are
-- two lines, the origin's ETag and Last-Modified, returned with a cache lease on a value. Two more
-- words may follow: the companion's limits, and "replaced" for a companion or cache lease of
-- another type or form. status:
--   fresh         serve it                    early-lead   serve it, then refresh it
--   stale-lead    serve it, then refresh it   stale-follow serve it: another reader refreshes it,
--                                             or the source failed a moment ago
--   error-lead    past its stale time: refresh it first, serve it if that fails or takes long
--   error-wait    the same, but another reader refreshes it
--   error-bypass  the same, but no cache lease can be written
--   miss-lead     fetch it                    miss-wait    another reader does: ask again soon
--   absent        not found in the source
--   cooldown      nothing to serve, and the source failed a moment ago, with `code`
--   bypass        ask the source, store nothing: Redis is full, or the source forbids storing
-- etag "=": the body is omitted because inm names its etag, which is returned in its place.
-- It needs no guard against a moving slot: Redis checks before it begins that all KEYS are there,
-- and it deletes none.
-- Errors: WRONGTYPE if the key is not a string; READONLY if nothing can be served here and nothing
-- can be written: the next connection may lead to the new master.

local chance, inm, reject = ARGV[1] / 1000, ARGV[3] or '', ARGV[4] or ''
local got = get_all(5)
local exp = redis.call('PEXPIRETIME', value_key)
local now = now_ms()
local value, versions = got[1], versions_of(got)

-- By far the most frequent case, handled first: converting a number to or from text costs half as
-- much as a command. `etag` includes the limits after it.
if value and got[2] and reject == '' and inm == '' then
  local known_exp, fresh, at, age, delta, etag, tags =
    string.match(got[2], '^v (%d+) (%d+) (%d+) (%d+) (%d+) (%S[^\n]*)\n([^\n]*)\n')
  if known_exp and known_exp - exp == 0 and tags == versions
    and now + delta * chance < fresh + 0 then
    return { 'fresh ' .. (now - at + age) .. ' ' .. (fresh - now) .. ' ' .. fresh .. ' '
      .. known_exp .. ' - ' .. etag, value }
  end
end

local token, lease_ms, fresh_ms, stale_ms, error_ms, keep_ms, tag_keep_ms =
  string.match(ARGV[2], '^(%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
local meta = decided(got[2])
-- Its end is in its text, too: another service may have taken its expiry away, or have written it.
-- Readers would wait for such a cache lease for ever.
local LEASE_MS_MAX = 600000 -- longer than fetches take, whatever the policies of other readers
local held_exp, held_until =
  string.match(got[3] or '', '^[^\n]*\n(-?%d+)\n[^\n]*\n%x*\n(%d+)$')
local held_ms = (held_until or 0) - now
local is_held = held_ms > 0 and held_ms <= math.max(lease_ms, LEASE_MS_MAX)
if not held_until then got[3] = false end
if not value and exp ~= -2 then
  return redis.error_reply('WRONGTYPE the cached value is not a string')
end
-- Another service wrote it without an expiry. It gets one at first sight, even if it may not be
-- served, to tell later writes of that kind from this one.
if exp == -1 then
  exp = now + keep_ms
  -- The expiry must differ from the one in a cache lease or companion of an earlier value.
  while exp == tonumber(held_exp) or (meta and exp == meta.exp) do exp = exp + 1 end
  if failed(redis.pcall('PEXPIREAT', value_key, exp)) then exp = -1 end
end
-- The companion of the previous value has seen all invalidations, and this value was written later:
-- it is newer than all of them.
local is_newer = meta and (meta.kind == 'v' or meta.kind == 'n') and meta.exp ~= exp
  and meta.tags == versions
if meta and meta.exp ~= exp then meta = nil end
local written_etag, body, is_replaced = '-', nil, nil

local function answer(status, validators)
  local age, fresh, code = 0, now, '-'
  if meta then age, fresh, code = now - meta.at + meta.age, meta.fresh, meta.code end
  local info = table.concat({ status, age, fresh - now, fresh, exp, code, written_etag }, ' ')
  if meta and meta.limits ~= '' then info = info .. ' ' .. meta.limits end
  if is_replaced then info = info .. ' replaced' end
  if not body then return { info } end
  if not validators then return { info, body } end
  return { info, body, meta.origin_etag .. '\n' .. meta.origin_modified }
end

local function show()
  body = value
  if meta.etag == '' then return end
  written_etag = meta.etag
  if inm ~= '' and string.find(inm, '"' .. meta.etag .. '"', 1, true)
    and redis.sha1hex(value) == meta.sha then
    -- By the hash, because a reader that gets no body cannot compare it.
    body, written_etag = meta.etag, '='
  end
end

-- Prepares the writes: completes the tags, and checks once for keys of another type, which MGET
-- reports as missing.
local function prepare()
  if is_replaced == nil then
    local missing = {}
    for i = 2, #KEYS do
      if not got[i] then missing[#missing + 1] = KEYS[i] end
    end
    is_replaced = #missing > 0 and redis.call('EXISTS', unpack(missing)) > 0
  end
  if not string.find(versions, '?', 1, true) then return nil end
  local problem = complete_tags(got, token, now, tag_keep_ms)
  if not problem then versions = versions_of(got) end
  return problem
end

-- Takes the cache lease: true; false if another reader has it; or nil and a problem.
local function take_lease()
  if is_held then return false end
  local problem = prepare()
  if problem then return nil, problem end
  -- Without NX: what is there is no cache lease, or has ended. With the hash, because another
  -- service's SET … KEEPTTL leaves no other trace until the cache lease ends.
  local ends_at = now + lease_ms
  local taken = redis.pcall('SET', lease_key, table.concat({ token, exp, versions,
    value and redis.sha1hex(value) or '', string.format('%d', ends_at) }, '\n'), 'PXAT', ends_at)
  if failed(taken) then return nil, failed(taken) end
  return true
end

-- What happened to the tags since the fetch: "ok", "stale" and when, or "miss".
local function tags_say()
  if meta and meta.tags == versions then return 'ok' end
  local seen, at, since = {}, 0, now
  if meta then
    for version in string.gmatch(meta.tags, '%S+') do seen[#seen + 1] = version end
    at = meta.at
  end
  local says = 'ok'
  for i = 4, last_tag do
    local history, change, soft, hard =
      string.match(got[i] or '', '^([^/%s]+/)(%S*) (%d+) (%d+)$')
    local seen_version = seen[i - 3] or ''
    if meta and not (history and history .. change == seen_version) then
      -- The invalidations of a lost tag are unknown: it has another history.
      if not history or string.sub(seen_version, 1, #history) ~= history
        or tonumber(hard) >= at or tonumber(soft) < at then
        return 'miss'
      end
      says, since = 'stale', math.min(since, tonumber(soft))
    elseif not meta and history then
      -- A value of another service: it may be older than the invalidation.
      if hard ~= '0' then return 'miss' end
      if soft ~= '0' then says = 'stale' end
    end
  end
  return says, since
end

-- Adopts another service's value: fresh from now on, at most for its remaining lifetime.
local function adopt(says)
  local fresh = now + fresh_ms
  if exp >= 0 and exp < fresh then fresh = exp end
  if says == 'stale' then fresh = now end
  local problem = prepare()
  meta = { kind = 'v', exp = exp, at = now, fresh = fresh, age = 0, delta = 0, cool = 0, code = '-',
    etag = '', limits = '', sha = '', tags = versions, origin_etag = '', origin_modified = '' }
  -- If nothing can be written, every reader adopts it anew.
  if exp >= 0 and not problem then decide(meta, exp) end
end

local says, since = tags_say()
if is_newer then says, since = 'ok', now end
if value and not meta and says ~= 'miss' then
  adopt(says)
  says = 'ok'
end

if value and meta and meta.kind == 'v' and says ~= 'miss' and reject ~= tostring(exp) then
  show()
  stale_ms = math.min(stale_ms, string.match(meta.limits, 's(%d+)') or stale_ms)
  error_ms = math.min(error_ms, string.match(meta.limits, 'e(%d+)') or error_ms)
  if says == 'stale' then meta.fresh = math.min(meta.fresh, since) end
  local is_cooling = meta.cool > now
  if now < meta.fresh then
    if not is_cooling and now + meta.delta * chance >= meta.fresh and take_lease() then
      return answer('early-lead', true)
    end
    return answer('fresh')
  end
  if now < meta.fresh + stale_ms then
    if not is_cooling and take_lease() then return answer('stale-lead', true) end
    return answer('stale-follow')
  end
  if now < meta.fresh + error_ms then
    if is_cooling then return answer('stale-follow') end
    local taken = take_lease()
    if taken == nil then return answer('error-bypass') end
    return answer(taken and 'error-lead' or 'error-wait', taken)
  end
  body, written_etag = nil, '-'
end

if meta and says == 'ok' and now < meta.fresh then
  if meta.kind == 'n' then return answer('absent') end
  if meta.kind == 'p' then return answer('bypass') end
end
if meta and meta.cool > now then return answer('cooldown') end
local taken, problem = take_lease()
if taken == nil then
  if string.find(problem, 'READONLY', 1, true) then return redis.error_reply(problem) end
  return answer('bypass')
end
return answer(taken and 'miss-lead' or 'miss-wait')
