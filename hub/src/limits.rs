//! Every number the hub decides by, named once, with its reason.

use std::time::Duration;

/// Settings of bytes are in this.
pub(crate) const MIB: usize = 1024 * 1024;

/// Connections that wait to be accepted: with fewer (128 is common), the kernel drops those of a
/// herd that returns, and each tries again after a second. The kernel's own maximum is often 4,096.
pub(crate) const LISTEN_BACKLOG: u32 = 1024;
/// Open files that are no connection of a client: Redis, the relay, scrapes, the log, the runtime.
pub(crate) const FILES_RESERVED: u64 = 100;
/// One in so many connections is no socket: handshakes, probes and tickets get through while all
/// sockets are taken.
pub(crate) const CONNECTIONS_PER_SPARE: usize = 16;
/// Sockets of one user: a handful of tabs on a handful of devices. More is a client that forgets to
/// close, and every notification is written to each.
pub(crate) const SOCKETS_PER_USER_MAX: u32 = 20;
/// Connections of one address: a carrier's NAT gives a subscriber no fewer than 64 ports as a rule,
/// so there are about 1,000 behind an address.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1000;
/// New connections of one address a second, and seconds' worth of them at once: all 1,000 of an address
/// are back within the 5 s that a restart spreads them over.
pub(crate) const CONNECTS_PER_ADDRESS_PER_S: u32 = 100;
pub(crate) const CONNECTS_BURST_S: u32 = 5;
/// Handshakes a second over all: each costs a signature and a read of Redis, and those who are
/// connected already come first. 20,000 sockets are back in 20 s.
pub(crate) const HANDSHAKES_PER_S: u32 = 1000;
/// Tickets of one user at once, and a second after that: one for each socket. So there are never more
/// than 50 of a user in Redis.
pub const TICKETS_BURST: u32 = SOCKETS_PER_USER_MAX;
pub(crate) const TICKETS_PER_S: u32 = 1;
/// Random bytes of a ticket: 192 bits, a multiple of three, so that base64 needs no padding.
pub(crate) const TICKET_BYTES: usize = 24;

/// Accepting fails when the process has no file descriptors left; a pause lets some be freed.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that are told at the same time why they are not let in; each takes a file descriptor of
/// the reserved ones, for some seconds if the peer wants it so.
pub(crate) const TURNED_AWAY_MAX: usize = 32;
/// Refusals that get a line of their own in the log within an interval: with every reason for a page
/// or two, a screen.
pub const REFUSAL_LINES_MAX: usize = 40;
/// Afterwards the same refusal is logged again, and what had no line is summed up.
pub(crate) const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Of an `Origin` in the log; host names have 253 at most, few have 50.
pub(crate) const REFUSAL_ORIGIN_BYTES_MAX: usize = 80;
/// Scrapes at the same time: one or two servers come every few seconds.
pub const SCRAPES_MAX: usize = 8;
/// Time for one scrape, head to end.
pub(crate) const SCRAPE_DEADLINE: Duration = Duration::from_secs(10);
/// Largest file with a token that is read.
pub(crate) const METRICS_TOKEN_BYTES_MAX: usize = 4 * 1024;

/// Largest message a client may send: a renewal with the longest token (8 KiB) fits well.
pub(crate) const CLIENT_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Read from a socket at once, on the stack: clients send pongs and now and then a token.
pub(crate) const SOCKET_READ_BYTES: usize = 4 * 1024;
/// Frames of one socket that are handed to the kernel with one call.
pub(crate) const SOCKET_WRITE_FRAMES_MAX: usize = 16;
/// Frames that may wait for one socket: a burst, not an outage (that is what the feed is for).
pub(crate) const SOCKET_QUEUE_FRAMES_MAX: usize = 256;
/// Bytes that may wait for one socket, more than a full feed has; the frames are shared by the sockets
/// of a user.
pub(crate) const SOCKET_QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes that may wait for all sockets together: 128 of them may be behind by all that one may be. A
/// crowd that is, as when a network stalls, must not take the machine's memory.
pub(crate) const QUEUED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of a feed that are replayed to a socket: three times what a full one of ours has. Elements
/// of other services may have any size, and each socket that reads slowly keeps them all.
pub(crate) const REPLAY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Time for the last bytes of a connection (a close frame, a refusal) to leave and for the peer to hang
/// up. Until then the connection counts against the limits.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes of a peer that are read and dropped while its connection is being closed: with bytes unread
/// the kernel would reset the connection, and the last ones sent to the peer might be lost. A client
/// that is told that its message is too large is still sending it, and messages of a few MB are a
/// usual mistake.
pub const CLOSE_DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The same for a connection that is not let in and so counts against no limit: a request without a
/// body fits well.
pub(crate) const TURNED_AWAY_DRAIN_BYTES_MAX: usize = 256 * 1024;

/// Frames a client may send in a burst, and per second after that. Clients have little to say: a
/// renewal an hour, a ping of their own now and then.
pub(crate) const CLIENT_FRAMES_BURST: u32 = 30;
pub(crate) const CLIENT_FRAMES_PER_S: u32 = 5;

/// Time between pings, whatever else is sent: below the 30–60 s after which proxies drop silent
/// connections.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Pings in a row that may stay unanswered.
pub(crate) const PINGS_UNANSWERED_MAX: u32 = 2;

/// Time to send the header of a request, and for an idle keep-alive connection to live.
pub(crate) const HEADER_DEADLINE: Duration = Duration::from_secs(15);
/// Header bytes of a request: a token in `Sec-WebSocket-Protocol` (8 KiB) and what proxies add.
pub(crate) const HEADER_BYTES_MAX: usize = 24 * 1024;

/// Header lines of a request: as many as the HTTP server takes, which says 431 to more.
pub(crate) const HEADERS_MAX: usize = 100;
/// Time for an ordinary request, its body and its answer.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Messages of one user that wait for a read of the feed; a read takes milliseconds.
pub(crate) const HELD_MESSAGES_MAX: usize = 256;
/// The same in bytes.
pub(crate) const HELD_BYTES_MAX: usize = 1024 * 1024;
/// Reads of a user's feed that may fail while messages wait for them, one every two seconds or so: an
/// outage of a minute. Longer, and the user is told of a gap instead.
pub(crate) const FEED_READS_FAILED_MAX: u32 = 30;
/// Users whose heads are read in one pipeline.
pub(crate) const HEADS_PAGE_USERS: usize = 100;
/// Users whose feeds are read in one pipeline: a full feed may have 1.3 MB.
pub(crate) const FEEDS_PAGE_USERS: usize = 8;
/// Pages read at the same time.
pub(crate) const PAGES_IN_FLIGHT_MAX: usize = 4;
/// Pause between pages when everyone is brought up to date, so that live traffic goes first.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(5);
/// Everyone's position is compared with their feed this often, whether or not something seems to be
/// missing: the rare loss that nothing else notices is over then.
pub(crate) const POSITION_CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Clock difference between the functions, which date the ids, and the hub.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// Time for a connection to Redis to come about, TLS and AUTH included.
pub(crate) const REDIS_CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// Time for Redis to answer; longer and the connection counts as dead (half-open TCP never says).
pub(crate) const REDIS_ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// First and longest wait before the next attempt to reach Redis.
pub(crate) const REDIS_BACKOFF_MIN: Duration = Duration::from_millis(50);
pub(crate) const REDIS_BACKOFF_MAX: Duration = Duration::from_secs(2);
/// Silence on the subscription after which a probe is published, which it has to hear.
pub(crate) const SUBSCRIPTION_SILENCE: Duration = Duration::from_secs(10);
/// Time for a probe to be heard.
pub(crate) const SUBSCRIPTION_PONG_DEADLINE: Duration = Duration::from_secs(5);
/// Probes in a row that may be missed; the hub is not ready from the first, and subscribes anew after
/// the last.
pub(crate) const PROBES_MISSED_MAX: u32 = 2;
/// Redis answered "recently" for readiness: three beats of presence and a bit.
pub(crate) const REDIS_RECENT: Duration = Duration::from_secs(15);

/// The user's permissions are looked at this often: ten microseconds of Redis.
pub(crate) const PERMISSIONS_INTERVAL: Duration = Duration::from_secs(5);
/// Refused commands that `/readyz` names.
pub(crate) const PERMISSIONS_NAMED_MAX: usize = 12;

/// Read from the subscription at once: many messages, where many come.
pub(crate) const SUBSCRIPTION_READ_BYTES: usize = 64 * 1024;
/// How long a read of the subscription waits before the hub looks at the time, at least and at most;
/// in between an eighth of what it measures with it.
pub(crate) const SUBSCRIPTION_TICK_MIN: Duration = Duration::from_millis(5);
pub(crate) const SUBSCRIPTION_TICK_MAX: Duration = Duration::from_millis(500);
/// Largest message of a channel. Ours have 13 KiB at most; a larger one than this ends the
/// subscription, and everyone is brought up to date.
pub(crate) const CHANNEL_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Messages that were read and not yet handed on, in bytes. Redis cuts a subscriber off that does
/// not read; one that cannot keep up therefore reads on, and drops all that waits when it is this
/// much: the feeds bring everyone up to date.
pub(crate) const BACKLOG_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A hub renews its lease this often: three times before it runs out.
pub(crate) const PRESENCE_BEAT: Duration = Duration::from_secs(4);
/// A hub that has not called for so long is dead; another one takes its users out with its next
/// beat, so that presence is true again within 20 s.
pub(crate) const PRESENCE_LEASE: Duration = Duration::from_secs(12);
/// After the last hub's last call `online_users` lasts this long, as nobody is there to take users
/// out: a second less than is promised, and longer than another hub takes to find a dead one.
pub(crate) const PRESENCE_EXPIRY: Duration = Duration::from_secs(19);
/// Expiry of presence's other keys: long enough for the next hub to find what dead ones held.
pub(crate) const PRESENCE_KEYS_TTL: Duration = Duration::from_secs(3600);
/// Users who come and go in one call: it holds Redis for some 2 ms.
pub(crate) const PRESENCE_CHANGES_PAGE_USERS: usize = 1_000;
/// Users of a dead hub, or looked at by a beat, in one call.
pub(crate) const PRESENCE_PAGE_USERS: usize = 500;
/// Everyone is told again within this many beats, since other services take users out. Three are
/// 12 s, and still 20 s where Redis, growing its table, shows the first as the last next time.
pub(crate) const PRESENCE_RESTORE_BEATS: u64 = 3;
/// Changes that wait while Redis is away; beyond, everyone is told again when it is back.
pub(crate) const PRESENCE_CHANGES_MAX: usize = 100_000;
/// Calls without an answer that are remembered; each may have been carried out.
pub(crate) const PRESENCE_UNANSWERED_MAX: usize = 8;
/// Earlier incarnations of a hub that are remembered; older leases have run out.
pub(crate) const PRESENCE_FORMER_MAX: usize = 8;
/// Calls of one round, a dead hub's users included: 500,000 of them.
pub(crate) const PRESENCE_CALLS_MAX: usize = 1_000;
/// Times that one round tells everyone again; a Redis that forgets more often is left to the next.
pub(crate) const PRESENCE_RESYNCS_MAX: usize = 3;
/// Wait before the next attempt to write presence after one that failed.
pub(crate) const PRESENCE_RETRY: Duration = Duration::from_millis(500);

/// The relay is called this often; it is what sends a notification that found Redis away.
pub(crate) const RELAY_INTERVAL: Duration = Duration::from_secs(30);
/// How long calls of the relay follow each other quickly after Redis was away or was replaced, as far
/// as they fail or leave something: longer than functions take to notice a failover.
pub(crate) const RELAY_HURRY: Duration = Duration::from_secs(60);
/// An answer that nothing is pending is final for a call this long after the sign. By then the functions
/// have noticed that a connection leads to a primary that is none any more.
pub const RELAY_SETTLE: Duration = Duration::from_secs(2);
/// Time for one call of the relay.
pub(crate) const RELAY_DEADLINE: Duration = Duration::from_secs(15);
/// Largest token file that is read.
pub(crate) const RELAY_TOKEN_FILE_BYTES_MAX: u64 = 16 * 1024;

/// The process ends this long after the signal, whatever is left; orchestrators wait 30 s or 10.
pub(crate) const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// Of which the sockets get this much to say goodbye; the rest is for releasing presence.
pub(crate) const SHUTDOWN_SOCKETS_DEADLINE: Duration = Duration::from_secs(6);
/// Clients are told to come back within this time, each at another moment, and sockets are closed
/// over the same time.
pub(crate) const DRAIN_SPREAD: Duration = Duration::from_secs(5);
/// Sockets closed per second while draining, where that is faster: a few need no spread.
pub(crate) const DRAIN_SOCKETS_PER_S: usize = 1_000;
/// Messages of the channel that are handed on before the sockets are written to: what arrives
/// together for a socket leaves together.
pub(crate) const DELIVER_MESSAGES_MAX: usize = 64;
