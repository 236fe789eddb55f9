//! The limits of what the native programs share, with their reasons.

use std::time::Duration;

/// Time to connect to Redis, TLS and AUTH included.
pub const REDIS_CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// Time for an answer from Redis. After it the connection counts as dead: a half-open one never
/// reports an error.
pub const REDIS_ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// Shortest and longest wait between attempts to connect to Redis.
pub const REDIS_BACKOFF_MIN: Duration = Duration::from_millis(50);
/// See [`REDIS_BACKOFF_MIN`].
pub const REDIS_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Concurrent scrapes: one or two servers scrape every few seconds.
pub const SCRAPES_MAX: usize = 8;
/// Time for one scrape, from its head to the end of its answer.
pub const SCRAPE_DEADLINE: Duration = Duration::from_secs(10);
/// Pause after a failed accept, which usually means that no file descriptor is free.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Largest metrics token file in bytes.
pub(crate) const METRICS_TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Largest file with a token for the functions, in bytes.
pub(crate) const TOKEN_FILE_BYTES_MAX: u64 = 16 * 1024;

/// Largest configuration file in bytes; a complete one has a few hundred lines.
pub(crate) const SETTINGS_FILE_BYTES_MAX: u64 = 256 * 1024;
