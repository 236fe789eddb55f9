//! The limits of the command line, with their reasons.

use std::time::Duration;

/// Time for one answer if the caller does not say: the functions answer within about 6 s even while
/// the record's database hangs.
pub const TIMEOUT_S: u64 = 10;
/// Longest `--timeout`: an hour.
pub const TIMEOUT_S_MAX: u64 = 3600;
/// Attempts of one call that may be repeated, the first one included.
pub const ATTEMPTS_MAX: u32 = 4;
/// The same for each part of a campaign's load: minutes of an outage do not end an hour's work.
pub const LOAD_ATTEMPTS_MAX: u32 = 60;
/// All attempts of a call together, in multiples of `--timeout`.
pub const TIMEOUTS_MAX: u32 = 3;
/// The same for each part of a campaign's load.
pub const LOAD_TIMEOUTS_MAX: u32 = 30;
/// First pause before an attempt is repeated; it doubles.
pub const PAUSE_MIN: Duration = Duration::from_millis(250);
/// Longest of those pauses. `Retry-After` may be longer.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest answer: a page of 500 queue messages of 64 KiB each.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Largest file with a token or a key, in bytes.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;
/// Largest configuration file, or template of a campaign, in bytes.
pub const TOML_BYTES_MAX: u64 = 256 * 1024;
/// Largest payload that is read from a file or from standard input, in bytes: the API's largest
/// request.
pub const PAYLOAD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Users in one part of a campaign's load, and their JSON in bytes: the API takes 5,000 and 4 MiB.
/// Smaller ones lose less when they are repeated.
pub const LOAD_USERS: u32 = 1000;
/// See [`LOAD_USERS`].
pub const LOAD_BYTES: usize = 2 * 1024 * 1024;
/// Rows in one call of an import, and their JSON in bytes: the API takes 500 and 4 MiB.
pub const IMPORT_ROWS: usize = 500;
/// See [`IMPORT_ROWS`].
pub const IMPORT_BYTES: usize = 2 * 1024 * 1024;
/// Longest line of an import in bytes: a notification has about 13 KiB at most, escapes apart.
pub const ROW_BYTES_MAX: u64 = 256 * 1024;
/// Wrong rows that are named; the others are counted.
pub const WRONG_ROWS_SHOWN: usize = 20;
/// Largest CSV file in bytes: a million users with all their fields are about 1 GiB.
pub const CSV_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Time without a frame after which a watch asks the hub whether it is there.
pub const PING_AFTER: Duration = Duration::from_secs(20);
/// First and longest wait before a watch connects again.
pub const RECONNECT_MIN: Duration = Duration::from_millis(500);
/// See [`RECONNECT_MIN`].
pub const RECONNECT_MAX: Duration = Duration::from_secs(30);
/// Lifetime of tokens that are made for one command.
pub const OWN_TOKEN_TTL: Duration = Duration::from_secs(900);

/// Queues whose depths are read at the same time.
pub const QUEUES_AT_ONCE: usize = 8;
/// Most queues in the table of `queues`.
pub const QUEUES_MAX: usize = 1000;
/// Users in one call of `presence`, and ids in one of `read`: the API's limits.
pub const PRESENCE_USERS_MAX: usize = 1000;
/// See [`PRESENCE_USERS_MAX`].
pub const READ_IDS_MAX: usize = 100;
/// Entries of a page of a feed: the API's limit.
pub const FEED_PAGE_MAX: usize = 100;
/// Messages of one call that sends to a queue, or receipts of one that acknowledges.
pub const QUEUE_MESSAGES_MAX: usize = 500;

/// Difference of clocks that is worth a word, and one at which tokens fail: the leeway is 60 s.
pub const CLOCK_WARN_S: u64 = 5;
/// See [`CLOCK_WARN_S`].
pub const CLOCK_FAIL_S: u64 = 60;
