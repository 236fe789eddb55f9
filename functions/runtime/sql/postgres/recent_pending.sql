-- $1 since_ms
UPDATE bellwire.feed SET sent_seq = seq - 1 WHERE updated_at_ms >= $1 AND sent_seq = seq
