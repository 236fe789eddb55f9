-- The time at which the next push job may be claimed; NULL without jobs.
SELECT min(next_at_ms) FROM push_job
