SELECT redis_run_id FROM bellwire.record
