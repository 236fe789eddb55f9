-- $1 JSON array of [user, seq, rev]
-- Removes jobs that no later claim has taken over. Rows are locked in one order, as everywhere.
WITH finished AS MATERIALIZED (
    SELECT job.user_id, job.seq FROM bellwire.push_job AS job
    JOIN json_array_elements($1::text::json) AS item
        ON job.user_id = item->>0 AND job.seq = (item->>1)::bigint AND job.rev = (item->>2)::bigint
    ORDER BY job.user_id, job.seq FOR UPDATE OF job
)
DELETE FROM bellwire.push_job USING finished
WHERE push_job.user_id = finished.user_id AND push_job.seq = finished.seq
RETURNING 1
