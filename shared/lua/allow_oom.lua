#!lua flags=allow-oom
-- In front of scripts that a server without memory carries out all the same.

