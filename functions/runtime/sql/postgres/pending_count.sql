SELECT count(*) FROM bellwire.feed WHERE sent_seq < seq
