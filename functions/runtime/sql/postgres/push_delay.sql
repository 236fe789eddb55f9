-- $1 JSON array of [user, seq, rev, next_at_ms, attempts to add, JSON array of device names]
-- Delays jobs that no later claim has taken over, and adds the devices that need no further
-- attempt. The revision grows, so that a repeat finds nothing. Rows are locked in one order, as
-- everywhere.
WITH delayed AS MATERIALIZED (
    SELECT job.user_id, job.seq, (item->>3)::bigint AS next_at_ms,
        (item->>4)::bigint AS attempts, item->5 AS done
    FROM bellwire.push_job AS job
    JOIN json_array_elements($1::text::json) AS item
        ON job.user_id = item->>0 AND job.seq = (item->>1)::bigint AND job.rev = (item->>2)::bigint
    ORDER BY job.user_id, job.seq FOR UPDATE OF job
)
UPDATE bellwire.push_job
SET next_at_ms = delayed.next_at_ms, rev = push_job.rev + 1,
    attempts = push_job.attempts + delayed.attempts,
    done = (
        SELECT coalesce(json_agg(name), '[]')::text FROM (
            SELECT json_array_elements_text(push_job.done::json) AS name
            UNION SELECT json_array_elements_text(delayed.done)
        ) AS names
    )
FROM delayed WHERE push_job.user_id = delayed.user_id AND push_job.seq = delayed.seq
RETURNING 1
