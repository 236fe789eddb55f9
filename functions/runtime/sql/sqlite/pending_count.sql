SELECT count(*) FROM feed WHERE sent_seq < seq
