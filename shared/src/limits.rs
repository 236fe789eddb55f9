//! Every limit of the API, named once. Routes and scripts take their numbers from here.

/// Longest id (user, campaign, resource parameter), in bytes: fits a UUID or an email.
pub const ID_BYTES_MAX: usize = 128;
/// Longest `title`, in Unicode scalar values.
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest `kind`, in Unicode scalar values: it is a label ("comment", "invoice.paid"), not
/// content.
pub const KIND_CHARS_MAX: usize = 64;
/// Longest `body`, in bytes of UTF-8.
pub const BODY_BYTES_MAX: usize = 4 * 1024;
/// Longest `data`, in bytes of JSON text as it was sent.
pub const DATA_BYTES_MAX: usize = 8 * 1024;
/// Deepest nesting inside `data`: deeper input would overflow recursive parsers.
pub const DATA_DEPTH_MAX: usize = 32;
/// Deepest list element delivered: a notification around the deepest `data`. Other services may
/// write anything, and one deeper element would make a reader's parser fail for the whole page.
pub const ELEMENT_DEPTH_MAX: usize = DATA_DEPTH_MAX + 1;
/// Largest request body of a route for one thing: it fits the largest notification with every byte
/// of its text escaped.
pub const REQUEST_BYTES_MAX: usize = 96 * 1024;
/// Largest request body of a route for an array.
pub const REQUEST_ARRAY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Longest token considered, in bytes; RS256 tokens with many scopes stay below 4 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Notifications in one batch: with the limit on arrays, 8 KiB each on average.
pub const BATCH_NOTIFICATIONS_MAX: usize = 500;
/// Clock difference tolerated in the times of imported notifications, as in tokens.
pub const IMPORT_CLOCK_SKEW_MS: i64 = 60_000;
/// Ids in one call that marks entries as read: a full feed.
pub const MARK_IDS_MAX: usize = FEED_ENTRIES_MAX;
/// Lifetime of an idempotency key.
pub const IDEMPOTENCY_MS: i64 = 24 * 3600 * 1000;
/// Longest `Idempotency-Key`, as is common (Stripe allows 255).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;

/// Entries a feed keeps in Redis; older ones come from the record.
pub const FEED_ENTRIES_MAX: usize = 100;
/// Read marks applied to a feed at once: a feed may be as far behind the record as the relay
/// delivers.
pub const FEED_MARKS_MAX: usize = 2 * FEED_ENTRIES_MAX;
/// Entries of a page if the caller does not say.
pub const FEED_PAGE_DEFAULT: usize = 20;
/// Lifetime of a feed after its last write.
pub const FEED_TTL_S: u64 = 30 * 24 * 3600;

/// Longest lifetime of a cached value, all its cache windows together. Tags live longer.
pub const CACHE_KEEP_MS_MAX: u64 = 30 * 24 * 3600 * 1000;
/// Lifetime of a tag after its last use: longer than any value that has it.
pub const CACHE_TAG_KEEP_MS: u64 = CACHE_KEEP_MS_MAX + 24 * 3600 * 1000;
/// Largest cached value, in bytes, if the resource does not say; a page of JSON is far smaller.
pub const CACHE_VALUE_BYTES: usize = 1024 * 1024;
/// The maximum that a resource may set.
pub const CACHE_VALUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Tags of one resource: every read compares all of them.
pub const CACHE_TAGS_MAX: usize = 8;
/// Longest tag, in bytes, with its parameters: three of the longest and the text between them.
pub const CACHE_TAG_BYTES_MAX: usize = 4 * ID_BYTES_MAX;
/// Longest stored `ETag` or `Last-Modified` of an origin: two SHA-512 in hex. It is part of the
/// companion, which every read of the value transfers.
pub const CACHE_VALIDATOR_BYTES_MAX: usize = 256;
/// Tags in one call of `POST /cache/invalidate`: one short script.
pub const CACHE_INVALIDATE_TAGS_MAX: usize = 500;
/// Paths in one call of `POST /cache/read`: what one page of an application needs.
pub const CACHE_READ_PATHS_MAX: usize = 50;
/// Bytes of the values in one answer of `POST /cache/read`: the largest single value fits.
pub const CACHE_READ_BYTES_MAX: usize = CACHE_VALUE_BYTES_MAX;
/// The longest wait of `POST /cache/read` for its sources: twice the usual timeout of one. Nobody
/// waits longer for a page.
pub const CACHE_READ_WAIT_MS: u64 = 10_000;
/// The longest time of a resource's copies in an instance's memory: an invalidation takes effect that
/// late, and an instance rarely lives longer.
pub const CACHE_COPY_MS_MAX: u64 = 10_000;
/// Largest value of which an instance keeps a copy, and the copies of an instance together: a host
/// may run hundreds of instances.
pub const CACHE_COPY_BYTES_MAX: usize = 64 * 1024;
pub const CACHE_COPIES_BYTES_MAX: usize = 1024 * 1024;
/// Hours whose reads and fetches `GET /cache` adds up, the current one included.
pub const CACHE_COUNTS_HOURS: i64 = 24;
/// Lifetime of an hour's counts after the last write: no clock is off by two hours.
pub const CACHE_COUNTS_TTL_S: i64 = (CACHE_COUNTS_HOURS + 2) * 3600;
/// Longest `If-None-Match` considered: a hundred entity tags.
pub const IF_NONE_MATCH_BYTES_MAX: usize = 2048;
/// Longest push token, in bytes, as in FCM.
pub const PUSH_TOKEN_BYTES_MAX: usize = 4 * 1024;
/// Lifetime of a push token after its last write: FCM drops a token after 270 days of silence.
pub const PUSH_TOKEN_TTL_S: i64 = 270 * 24 * 3600;
/// Time that Redis keeps a token's revision. A delayed write arrives within the calls' deadlines,
/// or minutes later from the buffers of a network that failed and recovered.
pub const PUSH_TOKEN_FENCE_S: i64 = 600;
/// Time that the absence of a push token is cached.
pub const PUSH_TOKEN_ABSENT_S: i64 = 60;
/// Push tokens in one call.
pub const PUSH_TOKENS_MAX: usize = 1000;
/// Longest time between a create and its push.
pub const PUSH_AFTER_S_MAX: i64 = 3600;
/// Longest lifetime of a push, that of FCM: 28 days; also if the caller does not say.
pub const PUSH_TTL_S_MAX: i64 = 28 * 24 * 3600;
/// Longest `collapse`, in Unicode scalar values, as for APNs.
pub const PUSH_COLLAPSE_CHARS_MAX: usize = 64;
/// Push jobs that one call claims or settles.
pub const PUSH_JOBS_MAX: usize = 500;
/// Jobs of one claim, in bytes of JSON: the worker reads 16 MiB, and one job with ten devices has
/// about 100 KiB at most.
pub const PUSH_CLAIM_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Lease of claimed push jobs: a worker that sends 500 pushes needs seconds, and what a killed one
/// had claimed waits for its end.
pub const PUSH_LEASE_MS_MIN: i64 = 1000;
pub const PUSH_LEASE_MS_MAX: i64 = 600_000;
/// Names of finished devices, and responses, of one settled job: more than a user has devices.
pub const PUSH_DONE_MAX: usize = 32;
/// Responses that wait in `notification:responses`. Others are dropped: nobody reads them.
pub const PUSH_RESPONSES_MAX: i64 = 100_000;
/// Users whose addresses one call reads: one statement and one `MGET`.
pub const PUSH_ADDRESSES_MAX: usize = 1000;
/// Devices that one call prunes.
pub const PUSH_PRUNE_MAX: usize = 500;
/// Test pushes that wait for a worker.
pub const PUSH_TESTS_MAX: i64 = 100;
/// Lifetime of a waiting test push, and of its results.
pub const PUSH_TEST_TTL_S: i64 = 60;
/// Time that a test push waits for its results: a send has a deadline of ten seconds.
pub const PUSH_TEST_WAIT_MS: i64 = 15_000;
/// Devices of a user, the push token included: phones, computers and the browsers on them.
pub const DEVICES_MAX: usize = 10;
/// Longest endpoint of a Web Push subscription, in bytes; real ones have 150 to 600.
pub const WEBPUSH_ENDPOINT_BYTES_MAX: usize = 2048;
/// Hex digits of an APNs token: today's have 64, and Apple says that they may become longer.
pub const APNS_TOKEN_HEX_MAX: usize = 200;
/// Longest topic of APNs, in bytes: a bundle id, with a suffix for some types of push.
pub const APNS_TOPIC_BYTES_MAX: usize = 255;
/// Longest language tag, in bytes (RFC 5646 §4.4.1).
pub const LOCALE_BYTES_MAX: usize = 35;
/// Kinds of notifications that a user has preferences for.
pub const PREFERENCE_KINDS_MAX: usize = 50;
/// Users in one call that reads push tokens.
pub const PUSH_TOKENS_READ_MAX: usize = 1000;
/// Users in one call that adds to a campaign.
pub const CAMPAIGN_ADD_MAX: usize = 5000;
/// Users in one campaign: about 100 MiB of Redis.
pub const CAMPAIGN_USERS_MAX: i64 = 1_000_000;
/// Idempotency keys that a campaign remembers: 1.5 MiB of Redis, and a million users in calls of 100.
pub const CAMPAIGN_KEYS_MAX: i64 = 10_000;
/// Users taken from a campaign by one call.
pub const CAMPAIGN_NEXT_MAX: i64 = 500;
/// Responses in one call.
pub const CAMPAIGN_RESPOND_MAX: usize = 500;
/// Responses stored per campaign.
pub const CAMPAIGN_RESPONSES_MAX: i64 = 100_000;
/// Longest response, in bytes of JSON text as sent: the same as for a queue.
pub const CAMPAIGN_RESPONSE_BYTES_MAX: usize = 64 * 1024;
/// Responses of a page: the maximum, and the number if the caller does not say.
pub const CAMPAIGN_PAGE_MAX: i64 = 100;
pub const CAMPAIGN_PAGE_DEFAULT: i64 = 20;
/// Lifetime of a campaign and its responses after their last write.
pub const CAMPAIGN_TTL_S: i64 = 24 * 3600;
/// Time that an executed call is remembered: it may reach Redis twice within its deadline of a few
/// seconds.
pub const ONCE_TTL_S: i64 = 60;

/// Longest link of a template, in bytes, with a user's fields.
pub const TEMPLATE_LINK_BYTES_MAX: usize = 2048;
/// JSON of a template's data, in bytes: payloads have 4 KiB in all.
pub const TEMPLATE_DATA_BYTES_MAX: usize = 2048;
/// Languages of one text.
pub const TEMPLATE_LOCALES_MAX: usize = 100;
/// Longest name of a field in `{{name}}`, in bytes.
pub const TEMPLATE_NAME_BYTES_MAX: usize = 64;
/// Fields of a campaign's user, for templates.
pub const CAMPAIGN_FIELDS_MAX: usize = 20;
/// Names and texts of one user's fields together, in bytes: a million users with as much take 1 GiB.
pub const CAMPAIGN_FIELDS_BYTES_MAX: usize = 1024;
/// Pushes per second of a campaign that does not say.
pub const CAMPAIGN_RATE_DEFAULT: i64 = 1000;
/// The maximum: FCM takes 600,000 in a minute from one project.
pub const CAMPAIGN_RATE_MAX: i64 = 10_000;
/// Time over which a campaign's rate rises from zero. FCM asks for at least 60 s.
pub const CAMPAIGN_RAMP_MS: i64 = 60_000;
/// Time to live of a push: 4 weeks, as FCM and the browsers' services allow; the default, too.
pub const CAMPAIGN_PUSH_TTL_S_MAX: i64 = PUSH_TTL_S_MAX;
/// Latest start after the request. A campaign waits longer than Redis keeps it otherwise: the
/// workers' claims renew it.
pub const CAMPAIGN_START_AHEAD_MS: i64 = 7 * 24 * 3600 * 1000;
/// Users of one block: at 10,000 a second a worker claims one in 50 ms, and a claim with its settle
/// takes less than a millisecond of Redis.
pub const CAMPAIGN_CLAIM_MAX: usize = 500;
/// Bytes of a block's elements after which no more are added: ours have 6 KiB at most, those of other
/// services may be larger.
pub const CAMPAIGN_CLAIM_BYTES: i64 = 4 * 1024 * 1024;
/// Time after which a block whose worker says nothing is given to another one.
pub const CAMPAIGN_LEASE_MS: i64 = 30_000;
/// Blocks of one campaign under way: 50,000 users in flight.
pub const CAMPAIGN_BLOCKS_MAX: i64 = 100;
/// Dead letters kept for a redrive; what fails beyond them is only counted. About 3 MiB.
pub const CAMPAIGN_DEAD_MAX: i64 = 10_000;
/// Dead letters that one script puts back: a millisecond or two of Redis.
pub const CAMPAIGN_REDRIVE_MAX: i64 = 1000;
/// Campaigns in the index of those whose pushes are under way; those touched longest ago give way.
pub const CAMPAIGNS_PUSHING_MAX: i64 = 10_000;

/// Clock difference tolerated in `exp` and `nbf`, in seconds.
pub const TOKEN_LEEWAY_S: u64 = 60;
/// Shortest HMAC key, in bytes: RFC 7518 §3.2 requires the size of the hash output.
pub const HS256_KEY_BYTES_MIN: usize = 32;
/// Shortest RSA key, in bits (RFC 7518 §3.3).
pub const RSA_KEY_BITS_MIN: usize = 2048;
/// Longest RSA key, in bits, that the library supports.
pub const RSA_KEY_BITS_MAX: usize = 4096;
/// Largest JWK set or discovery document of an identity provider, in bytes. Entra's set of a tenant
/// with certificates has about 20 KiB.
pub const PROVIDER_BYTES_MAX: usize = 256 * 1024;
/// Keys of an identity provider that are considered; providers have two to ten.
pub const PROVIDER_KEYS_MAX: usize = 64;
/// Least time between two fetches of a provider's keys because of an unknown `kid`: anybody can
/// invent one.
pub const PROVIDER_LOOKUP_MS: u64 = 30_000;
/// Longest time for one fetch of a provider's keys, with its discovery document.
pub const PROVIDER_DEADLINE_MS: u64 = 3_000;
/// Least time between two fetches after one that failed.
pub const PROVIDER_RETRY_MS: u64 = 5_000;
/// Longest `sub`, in bytes, as in OpenID Connect (Core §2); with an idempotency key it fits an
/// index of either database.
pub const TOKEN_SUBJECT_BYTES_MAX: usize = 255;
/// Latest `exp`, in seconds since the Unix epoch: the end of the year 9999. Times in milliseconds,
/// the usual mistake, exceed it and would never expire.
pub const TOKEN_TIME_MAX_S: f64 = 253_402_300_799.0;

/// Lifetime of a ticket: a browser requests it and connects at once, and a reader of a proxy's log
/// is too late.
pub const TICKET_TTL_MS: u64 = 30_000;

/// Lifetime of a queue and its companion keys after the last operation.
pub const QUEUE_TTL_S: u64 = 14 * 24 * 3600;
/// Names of queues that the index holds; the ones used longest ago give way. With the longest names
/// 4 MB of Redis.
pub const QUEUES_INDEXED_MAX: i64 = 10_000;
/// Names of one page of queues: each costs one `EXISTS`.
pub const QUEUES_PAGE_MAX: i64 = 100;
pub const QUEUES_PAGE_DEFAULT: i64 = 20;
/// Messages of one send.
pub const QUEUE_MESSAGES_MAX: usize = 500;
/// Longest payload, in bytes of JSON text.
pub const QUEUE_PAYLOAD_BYTES_MAX: usize = 64 * 1024;
/// Deepest payload, as for `data`: if a consumer's parser rejects one, it loses all messages
/// received with it.
pub const QUEUE_PAYLOAD_DEPTH_MAX: usize = DATA_DEPTH_MAX;
/// Approximate bytes of the payloads of one receive or page of dead letters, unless a single one is
/// larger: the sum of Bellwire's largest. Those of other services may be larger.
pub const QUEUE_ANSWER_BYTES: i64 = 100 * 64 * 1024;
/// Messages of one receive: with the longest payloads 6.4 MB, and 100 ms of Redis.
pub const QUEUE_RECEIVE_MAX: i64 = 100;
pub const QUEUE_RECEIVE_DEFAULT: i64 = 10;
/// Longest wait of a receive for a message, as in SQS.
pub const QUEUE_WAIT_S_MAX: i64 = 20;
/// Visibility timeout: the maximum of SQS, 12 hours; 30 s if the caller does not say.
pub const QUEUE_VISIBILITY_S_MAX: i64 = 12 * 3600;
pub const QUEUE_VISIBILITY_S_DEFAULT: i64 = 30;
/// Receives of a message before it becomes a dead letter.
pub const QUEUE_RECEIVES_DEFAULT: i64 = 5;
pub const QUEUE_RECEIVES_MAX: i64 = 100;
/// Longest delay: half the lifetime of an unused queue.
pub const QUEUE_DELAY_S_MAX: i64 = 7 * 24 * 3600;
/// Lifetime of a dedup id, as in SQS.
pub const QUEUE_DEDUP_S: u64 = 300;
/// Receipts, or ids of dead letters, in one call.
pub const QUEUE_RECEIPTS_MAX: usize = 500;
/// Longest id or receipt. An id has the queue epoch of 16 characters and a counter; a receipt
/// also the attempt.
pub const QUEUE_RECEIPT_CHARS_MAX: usize = 64;
/// Longest reason of a nack, in bytes.
pub const QUEUE_REASON_BYTES_MAX: usize = 1024;
/// Dead letters of one page: with the longest payloads 6.4 MB.
pub const QUEUE_DEAD_PAGE_MAX: i64 = 100;
pub const QUEUE_DEAD_PAGE_DEFAULT: i64 = 20;

/// Queues whose depth one `GET /stats` reports: a script each.
pub const STATS_QUEUES_MAX: usize = 20;
/// Keys that one `SCAN` step examines: at most a millisecond of Redis.
pub const KEYS_COUNT_MAX: i64 = 1000;
pub const KEYS_COUNT_DEFAULT: i64 = 100;
/// Longest pattern of `GET /keys`, in bytes: every `*` makes matching slower, for each key.
pub const KEYS_PATTERN_BYTES_MAX: usize = 256;

/// Users in one presence query: one `SMISMEMBER`.
pub const PRESENCE_USERS_MAX: usize = 1000;
