//! Every number that governs sending, named once, with its reason.

use std::time::Duration;

use shared::limits::{PUSH_TOKEN_BYTES_MAX, PUSH_TTL_S_MAX, WEBPUSH_ENDPOINT_BYTES_MAX};

/// Payload of FCM and APNs in bytes, both documented.
pub const PAYLOAD_BYTES_MAX: usize = 4096;
/// Plaintext of Web Push in bytes. A push service must accept a body of 4,096 (RFC 8030, section
/// 7.2), of which encryption takes 103: header 86, delimiter 1, tag 16.
pub const WEBPUSH_TEXT_BYTES_MAX: usize = 3993;
/// Time to live in seconds. FCM refuses more than four weeks, and four weeks is the longest that
/// browsers' services keep a message.
pub const TTL_S_MAX: u64 = PUSH_TTL_S_MAX.cast_unsigned();

/// Deadline of one request. FCM asks for at least 10 s.
pub const DEADLINE_MIN: Duration = Duration::from_secs(10);
/// Body of an answer in bytes; real ones have a few hundred.
pub(crate) const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Headers of an answer in bytes; real ones have less than a thousand.
pub(crate) const ANSWER_HEADER_BYTES_MAX: u32 = 16 * 1024;
/// Retry-After beyond this is cut: the service is asked again within the hour.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// Wait after a 429 without Retry-After, as FCM documents it.
pub const HOLD: Duration = Duration::from_secs(60);

/// Attempts of one push.
pub const ATTEMPTS_MAX: u32 = 5;
/// Wait before the second attempt; FCM asks for at least 10 s. Doubles with each attempt.
pub const RETRY_MIN: Duration = Duration::from_secs(10);
/// No attempt later than this after the first was due, whatever the TTL.
pub const RETRY_FOR: Duration = Duration::from_secs(3600);

/// Time over which the rate rises from zero. FCM asks for at least 60 s.
pub const RAMP: Duration = Duration::from_secs(60);
/// Period that the guards look at.
pub(crate) const GUARD_WINDOW: Duration = Duration::from_secs(60);
/// Share of bad answers, in percent, above which a guard trips.
pub(crate) const GUARD_PERCENT_MAX: u64 = 20;
/// Bad answers below which no guard trips: a user has up to ten devices, and all may be dead.
pub(crate) const GUARD_BAD_MIN: u64 = 30;

/// Connections per host. With 100 streams each and answers after 40 ms, four send 8,600 per second.
pub const CONNECTIONS_PER_HOST: usize = 4;
pub const CONNECTIONS_PER_HOST_MAX: usize = 8;
/// Streams per connection at most, also if the server would take more. Services allow about 100.
pub(crate) const STREAMS_MAX: usize = 100;
/// Streams in flight on each open connection before another one is opened.
pub(crate) const STREAMS_BEFORE_GROWTH: usize = 25;
/// Hosts with open connections. Web Push has a few hosts per maker, of which WNS alone has dozens.
pub(crate) const HOSTS_MAX: usize = 128;
/// A connection unused for longer is replaced rather than used: a NAT or a load balancer may have
/// dropped it silently.
pub(crate) const IDLE_MAX: Duration = Duration::from_secs(240);
/// DNS, TCP and TLS together.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// Time for the server's first frame, with its limit of streams; a server sends it at once.
pub(crate) const SETTINGS_DEADLINE: Duration = Duration::from_secs(1);
/// Wait after a failed connect; doubles up to the maximum.
pub(crate) const RECONNECT_MIN: Duration = Duration::from_secs(1);
pub(crate) const RECONNECT_MAX: Duration = Duration::from_secs(60);
/// HTTP/2 ping while requests are in flight, and the time for its answer.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(20);
pub(crate) const PING_DEADLINE: Duration = Duration::from_secs(10);
/// Timeouts in a row after which a connection is replaced.
pub(crate) const TIMEOUTS_MAX: usize = 3;
/// Pushes in flight in one process, unless configured.
pub const IN_FLIGHT: usize = 400;

/// Time between two reads of a credential file.
pub(crate) const CREDENTIAL_POLL: Duration = Duration::from_secs(10);
/// A service account has about 2.4 kB.
pub(crate) const CREDENTIAL_BYTES_MAX: usize = 64 * 1024;
/// An OAuth2 token is renewed this long before it expires; Google's live for an hour.
pub(crate) const OAUTH_RENEW_BEFORE: Duration = Duration::from_secs(300);
/// Lifetime in seconds of the assertion; Google takes at most an hour.
pub(crate) const OAUTH_ASSERTION_S: u64 = 3600;
pub(crate) const OAUTH_BACKOFF_MIN: Duration = Duration::from_secs(1);
pub(crate) const OAUTH_BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Lifetime in seconds of a VAPID token; RFC 8292 allows 24 h.
pub(crate) const VAPID_S: u64 = 12 * 3600;
/// A VAPID token is renewed this many seconds before it expires, for clocks that differ.
pub(crate) const VAPID_RENEW_BEFORE_S: u64 = 3600;
/// Apple refuses a provider token older than 60 min, and more than one new token in 20 min.
pub(crate) const APNS_TOKEN_RENEW_AFTER_S: u64 = 40 * 60;
pub(crate) const APNS_TOKEN_AGE_MIN_S: u64 = 20 * 60;

/// Address of a device: a token or an endpoint.
pub const TOKEN_BYTES_MAX: usize = PUSH_TOKEN_BYTES_MAX;
pub const ENDPOINT_BYTES_MAX: usize = WEBPUSH_ENDPOINT_BYTES_MAX;
