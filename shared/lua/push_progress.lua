-- @include guard campaign push
-- Returns where a campaign's push stands: `progress`. Changes nothing.

-- A node that has only a part of the slot may lack some blocks.
before_writing()
return progress(look(), now_ms())
