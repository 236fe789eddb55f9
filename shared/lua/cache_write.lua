-- @include guard cache
-- Ends a cache lease: writes the fetched value unless a later change takes precedence.
--
-- ARGV[1]  token
-- ARGV[2]  mode     "value" store it         "same"   the stored value is still right (304)
--                   "absent" not found       "error"  the source failed
--                   "pass"   the source forbids storing
-- ARGV[3]  times    "fresh keep delta age tag_keep", ms; fresh is the cool-down for "error", and
--                   the time that "absent" and "pass" are remembered
-- ARGV[4]  body     JSON text; the error code for "error"
-- ARGV[5]  etag     of the body, without quotes
-- ARGV[6], ARGV[7]  the origin's ETag and Last-Modified, or ""
-- ARGV[8]  limits   of a value, or ""; optional
-- ARGV[9..] tags    see cache.lua
--
-- Returns {status, now}: "stored", or the reason for storing nothing:
--   lost         the cache lease expired or was removed by an invalidation
--   overtaken    another service wrote or deleted the value; natural expiry does not count
--   invalidated  a tag was invalidated or lost meanwhile
--   gone         the value to keep no longer exists
--   full         Redis accepts no writes now
-- A replica returns the error READONLY.

local token, mode = ARGV[1], ARGV[2]
local fresh_ms, keep_ms, delta, age, tag_keep_ms =
  string.match(ARGV[3], '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
local got = get_all(9)
local now = now_ms()
local held_token, held_exp, held_tags, held_sha =
  string.match(got[3] or '', '^([^\n]*)\n(-?%d+)\n([^\n]*)\n(%x*)\n%d+$')
if held_token ~= token then return { 'lost', now } end
before_writing()

local function leave(status)
  redis.pcall('DEL', lease_key)
  return { status, now }
end

held_exp = tonumber(held_exp)
local exp = redis.call('PEXPIRETIME', value_key)
local has_expired = exp == -2 and held_exp >= 0 and held_exp <= now
if exp ~= held_exp and not has_expired then return leave('overtaken') end
-- Another service replaced the value and kept its expiry.
local is_replaced = got[1] and held_sha ~= '' and redis.sha1hex(got[1]) ~= held_sha
if is_replaced then return leave('overtaken') end
if versions_of(got) ~= held_tags then return leave('invalidated') end

local old = decided(got[2])
if old and old.exp ~= exp then old = nil end
local meta = { kind = 'v', exp = exp, at = now, age = age, fresh = now + fresh_ms, delta = delta,
  tags = held_tags, etag = ARGV[5], limits = ARGV[8] or '', origin_etag = ARGV[6],
  origin_modified = ARGV[7] }
local expires_at = now + keep_ms
local written

if mode == 'value' then
  meta.exp, meta.sha = expires_at, redis.sha1hex(ARGV[4])
  written = redis.pcall('SET', value_key, ARGV[4], 'PXAT', expires_at)
elseif mode == 'same' then
  if not (old and old.kind == 'v' and got[1]) then return leave('gone') end
  meta.exp, meta.sha, meta.etag = expires_at, old.sha, old.etag
  written = redis.pcall('PEXPIREAT', value_key, expires_at)
elseif mode == 'error' then
  if old then meta = old else meta.kind, meta.at, meta.fresh = 'e', now, now end
  meta.cool, meta.code = now + fresh_ms, ARGV[4]
  expires_at = math.max(now + fresh_ms, exp)
else
  meta.kind, meta.exp = mode == 'absent' and 'n' or 'p', -2
  expires_at = meta.fresh
  written = redis.pcall('DEL', value_key)
end

local problem = failed(written) or failed(decide(meta, expires_at))
if problem then
  if string.find(problem, 'READONLY', 1, true) then return redis.error_reply(problem) end
  return leave('full')
end
for i = 4, #KEYS do redis.pcall('PEXPIRE', KEYS[i], tag_keep_ms) end
return leave('stored')
