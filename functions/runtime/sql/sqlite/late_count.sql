-- ?1 created_at_ms before which an entry is late
-- `+ 0` keeps the planner from feed_updated, in which almost every user is older.
SELECT count(*) FROM (
    SELECT 1 FROM feed WHERE sent_seq < seq AND updated_at_ms + 0 < ?1 LIMIT 10000
)
