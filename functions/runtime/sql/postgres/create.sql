-- $1 user, $2 id, $3 title, $4 body, $5 kind, $6 data, $7 created_at_ms, $8 expires_at_ms,
-- $9 idempotency, $10 request hash
-- The row lock on the counter orders a user's seqs by commit. No row comes back when the key is
-- known. Two calls with one new key see neither: the second one fails on the unique index, and its
-- count is undone with it; ON CONFLICT DO NOTHING would lose a number.
WITH counted AS (
    INSERT INTO bellwire.feed (user_id, seq, updated_at_ms)
    SELECT $1::text, 1, $7::bigint
    WHERE NOT EXISTS (SELECT 1 FROM bellwire.notifications WHERE idempotency = $9::text)
    ON CONFLICT (user_id) DO UPDATE
    SET seq = feed.seq + 1, updated_at_ms = excluded.updated_at_ms
    RETURNING seq
)
INSERT INTO bellwire.notifications (user_id, seq, id, title, body, kind, data, created_at_ms,
    expires_at_ms, idempotency, request_hash)
SELECT $1::text, counted.seq, $2::text, $3::text, $4::text, $5::text, $6::text, $7::bigint,
    $8::bigint, $9::text, $10::text
FROM counted
RETURNING id, seq, (SELECT epoch FROM bellwire.record)
