-- ?1 JSON array of [user, seq, rev, next_at_ms, attempts to add, JSON array of device names]
-- Delays jobs that no later claim has taken over, and adds the devices that need no further
-- attempt. The revision grows, so that a repeat finds nothing.
UPDATE push_job
SET next_at_ms = delayed.next_at_ms, rev = push_job.rev + 1,
    attempts = push_job.attempts + delayed.attempts,
    done = (
        SELECT json_group_array(name) FROM (
            SELECT value AS name FROM json_each(push_job.done)
            UNION SELECT value FROM json_each(delayed.done)
        )
    )
FROM (
    SELECT json_extract(value, '$[0]') AS user_id, json_extract(value, '$[1]') AS seq,
        json_extract(value, '$[2]') AS rev, json_extract(value, '$[3]') AS next_at_ms,
        json_extract(value, '$[4]') AS attempts, json_extract(value, '$[5]') AS done
    FROM json_each(?1)
) AS delayed
WHERE push_job.user_id = delayed.user_id AND push_job.seq = delayed.seq
    AND push_job.rev = delayed.rev
RETURNING 1
