#!lua flags=allow-oom
-- Prelude of scripts that a server out of memory runs all the same.

