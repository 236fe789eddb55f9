//! Every limit of the contract, named once. A number in a route or a script comes from here.

/// Longest id (user, campaign, resource parameter), in bytes: fits a UUID or an email.
pub const ID_BYTES_MAX: usize = 128;
/// Longest `title`, in Unicode scalar values.
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest `kind`, in Unicode scalar values: it is a label ("comment", "invoice.paid"), not content.
pub const KIND_CHARS_MAX: usize = 64;
/// Longest `body`, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 4 * 1024;
/// Longest `data`, in bytes of JSON text as it was sent.
pub const DATA_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting inside `data`: deeper input is an attack on somebody's recursive parser.
pub const DATA_DEPTH_MAX: usize = 32;
/// Deepest element of a list that is shown: a notification around the deepest `data`. Other services
/// may write anything, and one such element would make a reader's parser fail for the whole page.
pub const ELEMENT_DEPTH_MAX: usize = DATA_DEPTH_MAX + 1;
/// Largest request body of a route that takes one thing: the largest notification with every
/// byte of its text written as an escape still fits.
pub const REQUEST_BYTES_MAX: usize = 96 * 1024;
/// Largest request body of a route that takes an array.
pub const REQUEST_ARRAY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest token that is looked at; RS256 tokens with many scopes stay below 4 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Notifications in one batch: with the limit on arrays, 8 KiB each on average.
pub const BATCH_NOTIFICATIONS_MAX: usize = 500;
/// Ids in one call that marks entries as read: no window is larger.
pub const MARK_IDS_MAX: usize = FEED_ENTRIES_MAX;
/// An idempotency key holds this long.
pub const IDEMPOTENCY_MS: i64 = 24 * 3600 * 1000;
/// Longest `Idempotency-Key`, as in common practice (Stripe takes 255).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Entries a feed keeps in Redis; older ones come from the record.
pub const FEED_ENTRIES_MAX: usize = 100;
/// Read marks that are brought to a feed: it may be as much behind the record as the relay delivers.
pub const FEED_MARKS_MAX: usize = 2 * FEED_ENTRIES_MAX;
/// Entries of a page when the caller does not say.
pub const FEED_PAGE_DEFAULT: usize = 20;
/// A feed lives this long after its last write.
pub const FEED_TTL_S: u64 = 30 * 24 * 3600;

/// Longest life of a cached value, all its windows together. Tags live longer than that.
pub const CACHE_KEEP_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// A tag is remembered so long after its last use: longer than any value that has it.
pub const CACHE_TAG_KEEP_MS: u64 = CACHE_KEEP_MS_MAX + 24 * 3600 * 1000;
/// Largest cached value, in bytes, where the resource does not say; a page of JSON is far smaller.
pub const CACHE_VALUE_BYTES: usize = 1024 * 1024;
/// What a resource may say.
pub const CACHE_VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Tags of one resource: a read looks at all of them.
pub const CACHE_TAGS_MAX: usize = 8;
/// Longest tag, in bytes, its parameters filled in: three of the longest and what stands between them.
pub const CACHE_TAG_BYTES_MAX: usize = 4 * ID_BYTES_MAX;
/// Longest `ETag` or `Last-Modified` of an origin that is kept: two SHA-512 in hex. Every read of the
/// value takes them along, in the companion.
pub const CACHE_VALIDATOR_BYTES_MAX: usize = 256;
/// Tags in one call of `POST /cache/invalidate`: one short script.
pub const CACHE_INVALIDATE_TAGS_MAX: usize = 500;
/// Longest `If-None-Match` that is looked at: a hundred of our tags.
pub const IF_NONE_MATCH_BYTES_MAX: usize = 2048;
/// Longest push token, in bytes: what FCM allows itself.
pub const PUSH_TOKEN_BYTES_MAX: usize = 4 * 1024;
/// A push token lives this long after its last write: FCM drops a token after 270 days of silence.
pub const PUSH_TOKEN_TTL_S: i64 = 270 * 24 * 3600;
/// Redis knows a token's revision this long. A write that lost its way arrives within the calls'
/// deadlines, or minutes later out of the buffers of a network that broke and healed.
pub const PUSH_TOKEN_FENCE_S: i64 = 600;
/// That a user has no push token is believed this long.
pub const PUSH_TOKEN_ABSENT_S: i64 = 60;
/// Push tokens in one call.
pub const PUSH_TOKENS_MAX: usize = 1000;
/// Users in one call that adds to a campaign.
pub const CAMPAIGN_ADD_MAX: usize = 5000;
/// Users that wait in one campaign: some 100 MiB of Redis.
pub const CAMPAIGN_USERS_MAX: i64 = 1_000_000;
/// Users taken from a campaign by one call.
pub const CAMPAIGN_NEXT_MAX: i64 = 500;
/// Responses in one call.
pub const CAMPAIGN_RESPOND_MAX: usize = 500;
/// Responses that one campaign keeps.
pub const CAMPAIGN_RESPONSES_MAX: i64 = 100_000;
/// Longest response, in bytes of JSON text as it was sent: as long as what a queue takes.
pub const CAMPAIGN_RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Responses of a page, and of one when the caller does not say.
pub const CAMPAIGN_PAGE_MAX: i64 = 100;
pub const CAMPAIGN_PAGE_DEFAULT: i64 = 20;
/// A campaign and its responses live this long after their last write.
pub const CAMPAIGN_TTL_S: i64 = 24 * 3600;
/// A call may reach Redis twice within its deadline, a few seconds; so long it is remembered.
pub const ONCE_TTL_S: i64 = 60;

/// Clock difference tolerated in `exp` and `nbf`, in seconds.
pub const TOKEN_LEEWAY_S: u64 = 60;
/// Shortest HMAC key, in bytes: RFC 7518 §3.2 asks for the size of the hash output.
pub const HS256_KEY_BYTES_MIN: usize = 32;
/// Shortest RSA key, in bits (RFC 7518 §3.3).
pub const RSA_KEY_BITS_MIN: usize = 2048;
/// Longest RSA key, in bits: what the library that verifies takes.
pub const RSA_KEY_BITS_MAX: usize = 4096;
/// Longest `sub`, in bytes: what OpenID Connect allows (Core §2), and with an idempotency key it fits
/// an index of either database.
pub const TOKEN_SUBJECT_BYTES_MAX: usize = 255;
/// Latest `exp`, in seconds since the Unix epoch, the end of the year 9999: times in milliseconds,
/// the usual mistake, lie beyond it and would never expire.
pub const TOKEN_TIME_MAX_S: f64 = 253_402_300_799.0;

/// A ticket is redeemed within this time: a browser asks for it and connects at once, and whoever finds
/// it in a proxy's log comes too late.
pub const TICKET_TTL_MS: u64 = 30_000;

/// A queue and all that belongs to it live this long after the last operation.
pub const QUEUE_TTL_S: u64 = 14 * 24 * 3600;
/// Messages of one send.
pub const QUEUE_MESSAGES_MAX: usize = 500;
/// Longest payload, in bytes of JSON text.
pub const QUEUE_PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Deepest payload, as for `data`: one that a consumer's parser refuses would take along all that are
/// received with it.
pub const QUEUE_PAYLOAD_DEPTH_MAX: usize = DATA_DEPTH_MAX;
/// Payloads of one receive or page of dead letters have about so many bytes, or are one: what the
/// largest of our own make together. Those of other services may be larger.
pub const QUEUE_ANSWER_BYTES: i64 = 100 * 64 * 1024;
/// Messages of one receive: with the longest payloads 6.4 MB, and a tenth of a second of Redis.
pub const QUEUE_RECEIVE_MAX: i64 = 100;
pub const QUEUE_RECEIVE_DEFAULT: i64 = 10;
/// Visibility timeout: as long as SQS allows, 12 hours; half a minute when the caller does not say.
pub const QUEUE_VISIBILITY_S_MAX: i64 = 12 * 3600;
pub const QUEUE_VISIBILITY_S_DEFAULT: i64 = 30;
/// How often a message is received before it goes to the dead letters.
pub const QUEUE_RECEIVES_DEFAULT: i64 = 5;
pub const QUEUE_RECEIVES_MAX: i64 = 100;
/// Longest delay: half of what an untouched queue lives.
pub const QUEUE_DELAY_S_MAX: i64 = 7 * 24 * 3600;
/// A dedup id is known this long, as in SQS.
pub const QUEUE_DEDUP_S: u64 = 300;
/// Receipts, or ids of dead letters, of one call.
pub const QUEUE_RECEIPTS_MAX: usize = 500;
/// An id has a random epoch of 16 characters and a counter; a receipt the attempt, too.
pub const QUEUE_RECEIPT_CHARS_MAX: usize = 64;
/// Longest reason of a nack.
pub const QUEUE_REASON_BYTES_MAX: usize = 1024;
/// Dead letters of one page: with the longest payloads 6.4 MB.
pub const QUEUE_DEAD_PAGE_MAX: i64 = 100;
pub const QUEUE_DEAD_PAGE_DEFAULT: i64 = 20;

/// Queues whose depth one call of `GET /stats` tells: a script each.
pub const STATS_QUEUES_MAX: usize = 20;
/// Keys that one `SCAN` step looks at: a millisecond of Redis at most.
pub const KEYS_COUNT_MAX: i64 = 1000;
pub const KEYS_COUNT_DEFAULT: i64 = 100;
/// Longest pattern of `GET /keys`: matching takes longer with every `*`, for each key.
pub const KEYS_PATTERN_BYTES_MAX: usize = 256;

/// Users in one question about presence: one `SMISMEMBER`.
pub const PRESENCE_USERS_MAX: usize = 1000;
