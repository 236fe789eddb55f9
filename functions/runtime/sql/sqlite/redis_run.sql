SELECT redis_run_id FROM record
