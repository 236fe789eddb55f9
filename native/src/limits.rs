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

/// Shortest and longest time between two reads of the masters' map, about 40 µs of one Redis: a
/// replaced master is noticed within this even where nothing fails. The spread keeps a fleet out of
/// step.
pub const REDIS_MAP_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// See [`REDIS_MAP_INTERVAL_MIN`].
pub const REDIS_MAP_INTERVAL_MAX: Duration = Duration::from_secs(2);
/// Time between two reads of the map, however many redirections ask for one.
pub(crate) const REDIS_MAP_PAUSE: Duration = Duration::from_millis(100);
/// Time for one server to tell the map; then the next one is asked.
pub(crate) const REDIS_MAP_DEADLINE: Duration = Duration::from_secs(1);
/// Time between two `PING`s of each master of a cluster: a silent one is known, and named by
/// `/readyz`, also while it is not needed.
pub(crate) const REDIS_PING_INTERVAL: Duration = Duration::from_secs(2);
/// Time without an answer of one master at which the process is not ready: longer than the usual
/// failover of 5 s, and some `PING`s of 4 s at most.
pub const REDIS_MASTER_SILENT: Duration = Duration::from_secs(15);
/// First and longest pause before a refused command is repeated: a slot that moves keeps its keys
/// apart for milliseconds, a failover takes seconds.
pub(crate) const REDIS_REPEAT_MIN: Duration = Duration::from_millis(20);
/// See [`REDIS_REPEAT_MIN`].
pub(crate) const REDIS_REPEAT_MAX: Duration = Duration::from_millis(200);
/// Redirections that a command follows without a pause; two servers may name each other for a
/// moment.
pub(crate) const REDIS_REDIRECTIONS_MAX: u32 = 5;
/// Time after which the connection to a server that is not a master (a seed, the target of a moving
/// slot) is given up.
pub(crate) const REDIS_UNUSED_FOR: Duration = Duration::from_secs(10);

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
