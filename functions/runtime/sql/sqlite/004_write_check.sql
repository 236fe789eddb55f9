-- One row that the readiness probe writes now and then: a record that serves reads may be read-only
-- or on a full disk.
CREATE TABLE IF NOT EXISTS write_check AS SELECT 0 AS at_ms, '' AS filler
