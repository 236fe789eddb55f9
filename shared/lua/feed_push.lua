-- @include guard feed publish feed_append
-- Appends notifications to a feed in the order of the record and publishes them, or loads a cold feed
-- from it. ARGV and the answer are those of `append` in feed_append.lua.

return append(ARGV)
