//! Measured costs: `docs/BENCHMARKS.md` and `docs/scale.md` say how. CPU in microseconds.

/// Of an idle socket, in the hub and in the kernel, in bytes.
pub const SOCKET_BYTES: f64 = 5.7 * 1024.0;
/// Of a message that a hub delivers to one socket, when it is woken for each.
pub const DELIVERED_US: f64 = 47.0;
/// Of a wake-up of the hub for a message to somebody else's user.
pub const FOREIGN_WAKE_US: f64 = 9.5;
/// Of each further such message that the same wake-up brings.
pub const FOREIGN_US: f64 = 0.5;
/// Wake-ups per second above which messages come several at a time.
pub const WAKES_PER_S: f64 = 10_000.0;

/// Of a create in Redis, without hubs.
pub const CREATE_US: f64 = 61.0;
/// Of a read of a page of 20 entries in Redis.
pub const READ_US: f64 = 50.0;
/// The same in the functions' host.
pub const FUNCTIONS_CREATE_US: f64 = 342.0;
pub const FUNCTIONS_READ_US: f64 = 135.0;
/// Of a create in Postgres; reads of feeds do not reach it.
pub const POSTGRES_CREATE_US: f64 = 302.0;
/// Of a PUBLISH on one Redis: without subscribers, and for each hub.
pub const PUBLISH_US: f64 = 0.55;
pub const PUBLISH_PER_HUB_US: f64 = 0.21;
/// The same on a cluster: on the node that publishes, and on all others together, which pass every
/// message on.
pub const CLUSTER_PUBLISH_US: f64 = 4.3;
pub const CLUSTER_PUBLISH_OTHERS_US: f64 = 2.0;
/// Of an SPUBLISH on a cluster, with the master's replica.
pub const SPUBLISH_US: f64 = 4.4;

/// Of a notification in a list, with the list's overhead, in bytes.
pub const ENTRY_BYTES: f64 = 360.0;
/// Of a feed besides its entries: two keys, the companion's fields, an expiry for both.
pub const FEED_BYTES: f64 = 700.0;
/// Of a user's own channel in Redis, in bytes.
pub const CHANNEL_BYTES: f64 = 290.0;
/// Of a published message on the wire, in bytes.
pub const MESSAGE_BYTES: f64 = 350.0;
