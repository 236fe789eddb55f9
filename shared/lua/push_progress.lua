-- @include campaign push
-- Returns where a campaign's push stands: `progress`. Changes nothing.

return progress(look(), now_ms())
