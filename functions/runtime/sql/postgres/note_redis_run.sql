-- $1 run id
UPDATE bellwire.record SET redis_run_id = $1 WHERE redis_run_id <> $1
