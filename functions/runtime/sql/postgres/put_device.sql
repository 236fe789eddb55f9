-- $1 user, $2 device, $3 kind, $4 address, $5 digest, $6 locale, $7 time zone, $8 now_ms,
-- $9 maximum number of devices
-- Removes the address from its previous owner. Returns the revision, and the users that lost it as
-- a push token, as a JSON array of [user, rev]: the last 8, as in put_tokens.sql. No row if the
-- user has the maximum of other devices.
SELECT device_rev, losers FROM bellwire.put_device_6($1, $2, $3, $4, $5, $6, $7, $8, $9)
