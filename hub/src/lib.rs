//! The hub: serves browsers' WebSockets and event streams, and delivers each notification on the
//! Redis channel `notifications`, or on its user's own channel, to its user's sockets.
//!
//! It has no database and decides nothing about notifications. It writes only these things to
//! Redis: presence, tickets, probes of its subscriptions, the numbers of unread entries that reading
//! them derives, and as the bridge its lease and what it forwards.
//!
//! The rooms, in the order data flows, and their responsibilities:
//!
//! - [`config`]: flags, variables and file, validated before anything binds
//! - [`server`]: the tasks, and the order in which they end
//! - [`admission`]: number and rate of connections and sockets, per user, address and in total
//! - [`accept`]: whether a connection becomes a socket or its request is answered over HTTP
//! - [`http`]: the head of a request, the reasons for rejections, the form of answers
//! - [`session`]: handshakes ([`session::checks`] rejects them), tickets, and the messages of
//!   clients
//! - [`protocol`]: the hub's messages in raw, v1 and SSE, and their encoding
//! - [`socket`]: one connection and its task; [`socket::outbox`] closes a slow client,
//!   [`socket::keepalive`] a silent one
//! - [`redis`]: the connections to Redis: bytes, deadlines, feeds, permissions
//! - [`delivery`]: the subscriptions: backlog, probes, loss, and catching up after it
//! - [`bridge`]: forwards what existing services publish, on one hub of a fleet
//! - [`channels`]: the users' own channels: on which connection each is subscribed, and when
//! - [`users`]: the connected users and the order of each one's messages; [`users::resume`]: what a
//!   reconnecting client has missed
//! - [`presence`]: the online users, reported to Redis under a presence lease
//!   ([`presence::lease`])
//! - [`relay`]: the calls of the functions' relay
//! - [`metrics`]: the counters, and whether the hub is healthy
//! - [`ops`]: `/metrics`, `/healthz` and `/readyz`
//! - [`assets`]: the browser client's files; [`demo`]: the demo page, if asked for
//! - [`console`]: the page for operators, and the last 15 minutes that it shows
//! - [`limits`]: every number, with its reason
//!
//! A browser's connection passes [`server`], [`accept::first_request`], [`session::upgrade`] and
//! [`users`], and ends in [`socket::task`]. A notification passes [`redis::pubsub_connection`],
//! [`delivery::receiver`], [`users`] and [`users::sequencer`], and ends in
//! [`socket::connection`].

// `pub` is limited to items used by the binary, the fuzz targets, the example and the tests, so
// that rustc reports dead code in the rest. Read the documentation with `--document-private-items`.
#![warn(unreachable_pub)]
#![allow(rustdoc::private_intra_doc_links)]

pub(crate) mod accept;
pub mod admission;
pub(crate) mod assets;
pub(crate) mod bridge;
pub mod channels;
pub mod config;
pub(crate) mod console;
pub(crate) mod delivery;
pub(crate) mod demo;
pub mod http;
pub mod limits;
pub mod metrics;
pub mod ops;
pub mod presence;
pub mod protocol;
pub mod redis;
pub mod relay;
pub mod server;
pub mod session;
pub mod socket;
pub mod users;
