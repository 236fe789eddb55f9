//! Every number that governs the hub's behaviour, named once, with its reason.

use std::time::Duration;

/// The unit of settings in MiB.
pub(crate) const MIB: usize = 1024 * 1024;

/// Connections that the kernel queues until they are accepted. If the queue is short (128 is
/// common), a wave of reconnects overflows it, and each dropped client retries only after a second.
/// The kernel's own maximum is often 4,096.
pub(crate) const LISTEN_BACKLOG: u32 = 1024;
/// Open files other than client connections: Redis, the relay, scrapes, the log, the runtime.
pub(crate) const FILES_RESERVED: u64 = 100;
/// One connection in 16 is reserved for requests that are not sockets, so that handshakes, probes
/// and ticket requests succeed while all sockets are taken.
pub(crate) const CONNECTIONS_PER_SPARE: usize = 16;
/// Sockets per user: several tabs on several devices. A client with more probably forgets to close
/// them, and every notification is written to each.
pub(crate) const SOCKETS_PER_USER_MAX: u32 = 20;
/// Connections per address: carrier-grade NAT usually gives a subscriber at least 64 ports, so
/// about 1,000 subscribers share an address.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: u32 = 1000;
/// New connections per second and address, and the burst in seconds' worth: all 1,000 connections
/// of an address return within the 5 s over which a restart spreads them.
pub(crate) const CONNECTS_PER_ADDRESS_PER_S: u32 = 100;
pub(crate) const CONNECTS_BURST_S: u32 = 5;
/// Handshakes per second in total: each costs a signature check and a Redis read, and connected
/// clients have priority. 20,000 sockets reconnect within 20 s.
pub(crate) const HANDSHAKES_PER_S: u32 = 1000;
/// Tickets per user: a burst of one per socket, then one per second. So Redis holds at most 50 of a
/// user.
pub const TICKETS_BURST: u32 = SOCKETS_PER_USER_MAX;
pub(crate) const TICKETS_PER_S: u32 = 1;
/// Validity of the demo page's tokens: long enough that one look needs none anew, short enough that
/// a longer one shows a renewal.
pub(crate) const DEMO_TOKEN_TTL: Duration = Duration::from_secs(15 * 60);
/// Random bytes of a ticket: 192 bits; a multiple of three, so that base64 needs no padding.
pub(crate) const TICKET_BYTES: usize = 24;

/// Connections rejected with an answer at the same time. Each takes one of the reserved file
/// descriptors, for several seconds if the peer is slow.
pub(crate) const TURNED_AWAY_MAX: usize = 32;
/// Rejections logged individually per interval: every reason for one or two pages, about a
/// screenful.
pub const REFUSAL_LINES_MAX: usize = 40;
/// The interval after which the same rejection is logged again and the others are summed up.
pub(crate) const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Logged bytes of an `Origin`; host names have 253 at most, few have 50.
pub(crate) const REFUSAL_ORIGIN_BYTES_MAX: usize = 80;
/// Viewers of the console at the same time: a team looks at it, not an audience.
pub const CONSOLE_VIEWERS_MAX: usize = 8;
/// Connections to the console's address: a few for each viewer while the page is loading.
pub(crate) const CONSOLE_CONNECTIONS_MAX: usize = 32;
/// Time for the head of a request to the console's address. Short, because idle connections take
/// the slots of the others.
pub(crate) const CONSOLE_HEADER_DEADLINE: Duration = Duration::from_secs(3);
/// Time for a viewer of the console to read on, after which the connection is closed.
pub(crate) const CONSOLE_WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes that the kernel holds for a viewer who does not read: about a minute.
pub(crate) const CONSOLE_SEND_BUFFER_BYTES: usize = 32 * 1024;
/// Sockets of a user that the console lists; the default limit is 20.
pub(crate) const CONSOLE_USER_SOCKETS_MAX: usize = 200;
/// Time between snapshots of the console.
pub(crate) const CONSOLE_INTERVAL: Duration = Duration::from_secs(1);
/// Time for the last events of the console's streams when the hub shuts down.
pub(crate) const CONSOLE_CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// Largest client message: a renewal with the longest token (8 KiB) fits.
pub(crate) const CLIENT_FRAME_BYTES_MAX: usize = 16 * 1024;
/// Bytes per read from a socket, on the stack: clients send only pongs and an occasional token.
pub(crate) const SOCKET_READ_BYTES: usize = 4 * 1024;
/// Frames of one socket written with one system call.
pub(crate) const SOCKET_WRITE_FRAMES_MAX: usize = 16;
/// Frames queued for one socket: enough for a burst. After an outage the feed is read instead.
pub(crate) const SOCKET_QUEUE_FRAMES_MAX: usize = 256;
/// Bytes queued for one socket, more than a full feed has; a user's sockets share the frames.
pub(crate) const SOCKET_QUEUE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes queued for all sockets together, so that a stalled network with many slow sockets cannot
/// exhaust memory. 128 sockets can reach the limit of a single one.
pub(crate) const QUEUED_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Bytes of a feed replayed to a socket: three times a full feed of Bellwire's elements. Those of
/// other services may have any size, and each slow socket keeps all of them in memory.
pub(crate) const REPLAY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Time to send the last bytes of a connection (a close frame, a rejection) and for the peer to
/// close. Until then the connection counts against the limits.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes read and discarded while a connection is being closed: if bytes stayed unread, the kernel
/// would reset the connection, and the peer might lose the last bytes sent. A client that is told
/// its message is too large is still sending it, and messages of a few MB are a common mistake.
pub const CLOSE_DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The same for a rejected connection, which counts against no limit: a request without a body
/// fits.
pub(crate) const TURNED_AWAY_DRAIN_BYTES_MAX: usize = 256 * 1024;

/// Frames per client: the burst and the rate per second. Clients send little: a renewal per hour,
/// occasionally a ping.
pub(crate) const CLIENT_FRAMES_BURST: u32 = 30;
pub(crate) const CLIENT_FRAMES_PER_S: u32 = 5;

/// Time between pings, whatever else is sent: below the 30–60 s after which proxies close idle
/// connections.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Unanswered pings in a row before the socket is closed.
pub(crate) const PINGS_UNANSWERED_MAX: u32 = 2;

/// Time to send the head of a request, and lifetime of an idle keep-alive connection.
pub(crate) const HEADER_DEADLINE: Duration = Duration::from_secs(15);
/// Bytes of a request's head: a token in `Sec-WebSocket-Protocol` (8 KiB) and the headers of
/// proxies.
pub(crate) const HEADER_BYTES_MAX: usize = 24 * 1024;

/// Header lines of a request, as in the HTTP server, which answers 431 to more.
pub(crate) const HEADERS_MAX: usize = 100;
/// Time for an ordinary request with its body and answer.
pub(crate) const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// Messages of one user held during a read of the feed, which takes milliseconds.
pub(crate) const HELD_MESSAGES_MAX: usize = 256;
/// Bytes of those messages.
pub(crate) const HELD_BYTES_MAX: usize = 1024 * 1024;
/// Elements of other services remembered after they were replayed: as many as a feed has.
pub(crate) const REPLAYED_MARKS_MAX: usize = 100;
/// Reads of a head to learn how much is unread, until one is not overtaken by a notification: each
/// takes about a millisecond.
pub(crate) const INQUIRY_READS_MAX: u8 = 3;
/// Time after which a socket that waits for the number of unread entries is answered without it: a
/// client that pings wants to know whether the connection is alive.
pub(crate) const INQUIRY_DEADLINE: Duration = Duration::from_secs(1);
/// Failed reads of a user's feed while messages are held, one about every two seconds: an outage of
/// a minute. After that, the user's clients are told of a gap.
pub(crate) const FEED_READS_FAILED_MAX: u32 = 30;
/// Users whose heads are read in one pipeline.
pub(crate) const HEADS_PAGE_USERS: usize = 100;
/// Users whose feeds are read in one pipeline: a full feed can have 1.3 MB.
pub(crate) const FEEDS_PAGE_USERS: usize = 8;
/// Concurrent page reads of one master.
pub(crate) const PAGES_IN_FLIGHT_MAX: usize = 4;
/// Pause between pages while every user is brought up to date, so that live traffic goes first.
pub(crate) const SWEEP_PAUSE: Duration = Duration::from_millis(5);
/// Every user's position is compared with their feed this often, even without a sign of loss: it
/// repairs the rare loss that nothing else detects.
pub(crate) const POSITION_CHECK_INTERVAL: Duration = Duration::from_secs(60);
/// Clock difference between the hub and the functions, which date the ids.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(2);

/// Silence on the subscription after which the hub publishes a probe and expects to receive it.
pub(crate) const SUBSCRIPTION_SILENCE: Duration = Duration::from_secs(10);
/// Time for a probe to arrive.
pub(crate) const SUBSCRIPTION_PONG_DEADLINE: Duration = Duration::from_secs(5);
/// Missed probes in a row before the hub subscribes anew; the hub is not ready from the first one.
pub(crate) const PROBES_MISSED_MAX: u32 = 2;
/// Age of the last answer of Redis at which the hub is still ready: three presence beats and a
/// margin.
pub(crate) const REDIS_RECENT: Duration = Duration::from_secs(15);

/// Users' own channels on one connection: Redis removes them all at once when it closes, which stalls
/// it for about 80 ms (400 ms with 100,000).
pub(crate) const LINK_CHANNELS_MAX: usize = 20_000;
/// Commands for channels that Redis has not answered, on one connection: 2 ms of Redis' time, in
/// which it serves no one else.
pub(crate) const LINK_UNANSWERED_MAX: usize = 500;
/// The same while Redis rejects them: a few, to learn when that ends.
pub(crate) const LINK_REFUSED_PAGE: usize = 8;
/// Time that a user without sockets keeps the channel: a page that is loaded anew, or a short loss of
/// the network, costs Redis nothing.
pub(crate) const CHANNEL_LINGER: Duration = Duration::from_secs(30);
/// Time that a new user waits for the channel before the position is read without it. Then the user
/// is welcomed as if the subscription had been lost just now, within a handshake's 3 s.
pub(crate) const CHANNEL_DEADLINE: Duration = Duration::from_millis(1500);
/// Pause after a rejected subscription: while a slot moves, its servers disagree for milliseconds.
pub(crate) const CHANNEL_RETRY_PAUSE: Duration = Duration::from_millis(100);
/// Interval at which times that have passed are noticed.
pub(crate) const CHANNELS_TICK: Duration = Duration::from_millis(100);
/// Names of probe channels that are tried for one in a slot of a server: a server with a single slot
/// has one of them but for one case in 200,000.
pub(crate) const PROBE_CHANNELS_MAX: u32 = 200_000;

/// Time for which a hub may forward other services' messages without renewing that: if it dies, what
/// they only publish is lost for as long. Three renewals may fail.
pub(crate) const BRIDGE_LEASE: Duration = Duration::from_secs(3);
/// Pause before a new holder of the lease forwards, because the former one's last message is checked
/// on another master's clock. Clocks that are synchronised differ by milliseconds.
pub(crate) const BRIDGE_MARGIN: Duration = Duration::from_millis(250);
/// Shortest time after which the hub that forwards is noted to have done so until then.
pub(crate) const BRIDGE_PERIOD: Duration = Duration::from_secs(10);
/// Periods of which each user's messages are remembered, the current one included: 40 s. A hub that
/// forwards is replaced within 7 s, its broken connection within 30 s.
pub(crate) const BRIDGE_PERIODS_KEPT: u32 = 5;
/// Messages of one user remembered for that: more than a feed has elements.
pub(crate) const RECENT_MAX: usize = 128;
/// Of these, messages before those periods: one of them at least was also appended to the feed.
pub(crate) const RECENT_BEFORE_MAX: usize = 8;
/// Messages being forwarded at the same time; a user's are forwarded one after the other.
pub(crate) const BRIDGE_WORKERS: usize = 32;
/// Messages that wait for each of those: beyond, they are dropped and counted.
pub(crate) const BRIDGE_QUEUE_MAX: usize = 1_000;
/// Lifetime of the id of a forwarded message: longer than a call may be repeated.
pub(crate) const BRIDGE_ID_TTL: Duration = Duration::from_secs(30);

/// Interval at which the files of the keys for tokens are read again, as the push worker reads its
/// credentials.
pub(crate) const KEY_FILES_INTERVAL: Duration = Duration::from_secs(10);

/// Interval of checks of the Redis user's permissions; a check takes 10 µs of Redis.
pub(crate) const PERMISSIONS_INTERVAL: Duration = Duration::from_secs(5);
/// Denied commands that `/readyz` names.
pub(crate) const PERMISSIONS_NAMED_MAX: usize = 12;

/// Bytes per read from the subscription: many messages at high rates.
pub(crate) const SUBSCRIPTION_READ_BYTES: usize = 64 * 1024;
/// Shortest and longest wait of a subscription read before the hub checks the time. In between it
/// waits an eighth of the interval being measured.
pub(crate) const SUBSCRIPTION_TICK_MIN: Duration = Duration::from_millis(5);
pub(crate) const SUBSCRIPTION_TICK_MAX: Duration = Duration::from_millis(500);
/// Largest message on a channel, in bytes. Bellwire's have 13 KiB at most. A larger one ends the
/// subscription, and every user is brought up to date.
pub(crate) const CHANNEL_MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes of messages read and not yet handled. Redis disconnects a subscriber that does not read,
/// so a hub that cannot keep up goes on reading and, at this bound, drops all queued messages;
/// every user is brought up to date from the feeds.
pub(crate) const BACKLOG_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Interval at which a hub renews its presence lease: three times before it expires.
pub(crate) const PRESENCE_BEAT: Duration = Duration::from_secs(4);
/// A hub silent for this long counts as dead. The next beat of another hub removes its users, so
/// that presence is correct again within 20 s.
pub(crate) const PRESENCE_LEASE: Duration = Duration::from_secs(12);
/// Lifetime of `online_users` after the last hub's last call, when no hub is left to remove users:
/// a second less than promised, and longer than another hub takes to find a dead one.
pub(crate) const PRESENCE_EXPIRY: Duration = Duration::from_secs(19);
/// Expiry of the other presence keys: the next hub still finds the users of dead ones.
pub(crate) const PRESENCE_KEYS_TTL: Duration = Duration::from_secs(3600);
/// Users added and removed in one call, which occupies Redis for about 2 ms.
pub(crate) const PRESENCE_CHANGES_PAGE_USERS: usize = 1_000;
/// Users of a dead hub removed, or checked by a beat, in one call.
pub(crate) const PRESENCE_PAGE_USERS: usize = 500;
/// Beats within which every user is added again, since other services remove users. Three take 12
/// s. If Redis resizes its table, the first member of one walk may be the last of the next, which
/// is still within 20 s.
pub(crate) const PRESENCE_RESTORE_BEATS: u64 = 3;
/// Changes stored while Redis is unreachable; beyond this, all users are sent again afterwards.
pub(crate) const PRESENCE_CHANGES_MAX: usize = 100_000;
/// Unanswered calls remembered; each may have been executed.
pub(crate) const PRESENCE_UNANSWERED_MAX: usize = 8;
/// Earlier incarnations of a hub remembered; the presence leases of older ones have
/// expired.
pub(crate) const PRESENCE_FORMER_MAX: usize = 8;
/// Calls of one pass, which may include 500,000 users of a dead hub.
pub(crate) const PRESENCE_CALLS_MAX: usize = 1_000;
/// Times that one pass sends all users again; if Redis loses them more often, the next pass
/// continues.
pub(crate) const PRESENCE_RESYNCS_MAX: usize = 3;
/// Wait after a failed write of presence.
pub(crate) const PRESENCE_RETRY: Duration = Duration::from_millis(500);

/// Interval of calls to the relay, which sends notifications created while Redis was unreachable.
pub(crate) const RELAY_INTERVAL: Duration = Duration::from_secs(30);
/// Time after an outage or replacement of Redis during which failed or incomplete relay calls are
/// retried quickly: longer than the functions take to notice a failover.
pub(crate) const RELAY_RETRIES_FOR: Duration = Duration::from_secs(60);
/// Time after a sign of an outage from which an answer of "nothing pending" is final. By then the
/// functions have dropped connections to a former primary.
pub const RELAY_FINAL_AFTER: Duration = Duration::from_secs(2);
/// Time for one call of the relay.
pub(crate) const RELAY_DEADLINE: Duration = Duration::from_secs(15);

/// Time from the signal to the end of the process, in any case; orchestrators wait 30 s or 10 s.
pub(crate) const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// The part of it for closing sockets; the rest is for releasing presence.
pub(crate) const SHUTDOWN_SOCKETS_DEADLINE: Duration = Duration::from_secs(6);
/// Time over which sockets are closed, and within which clients are told to reconnect, each at a
/// random moment.
pub(crate) const DRAIN_SPREAD: Duration = Duration::from_secs(5);
/// Sockets closed per second while draining, if that is faster: a few need no spread.
pub(crate) const DRAIN_SOCKETS_PER_S: usize = 1_000;
/// Interval at which a hub that shuts down looks whether its channels are unsubscribed.
pub(crate) const DRAIN_TICK: Duration = Duration::from_millis(20);
/// Messages handled before the sockets are written to: messages that arrived together for a socket
/// are sent together.
pub(crate) const DELIVER_MESSAGES_MAX: usize = 64;
