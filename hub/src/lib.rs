//! The hub: holds browsers' WebSockets and event streams, and relays the Redis channel
//! `notifications` to exactly the right ones.
//!
//! It has no database and decides nothing about notifications; it writes to Redis only who is
//! online, tickets, and probes of its subscription.
//!
//! The rooms, in the order data flows, and what is decided there:
//!
//! - [`config`]: what the hub runs with; flags, variables and file, checked before anything binds
//! - [`server`]: which tasks there are, and in which order they end
//! - [`admission`]: how many connections and sockets, how fast, for which address
//! - [`accept`]: whether a connection is a socket, or a request that is answered and over
//! - [`http`]: how a request's head is read, why somebody is refused, how answers look
//! - [`session`]: who may open a socket ([`session::checks`] refuses a handshake), tickets, and what
//!   clients' messages mean
//! - [`protocol`]: what the hub says in raw, v1 and SSE; frames as bytes
//! - [`socket`]: one connection and its task; [`socket::outbox`] gives up a slow client,
//!   [`socket::keepalive`] a silent one
//! - [`redis`]: the two connections to Redis: bytes, deadlines, feeds, permissions
//! - [`delivery`]: the subscription: what is dropped, when it is probed and replaced, who is brought
//!   up to date
//! - [`users`]: who is here, in which order they are told; [`users::resume`]: what a client that comes
//!   back has missed
//! - [`presence`]: who is online, told to Redis under a lease ([`presence::lease`])
//! - [`relay`]: when the functions' relay is called
//! - [`metrics`]: what is counted, and whether the hub is healthy
//! - [`ops`]: `/metrics`, `/healthz` and `/readyz`
//! - [`limits`]: every number, with its reason
//!
//! A browser comes through [`server`], [`accept::first_request`], [`session::upgrade`] and [`users`]
//! to [`socket::task`]. A notification comes through [`redis::pubsub_connection`],
//! [`delivery::dispatcher`], [`users`] and [`users::sequencer`] to [`socket::connection`].

// `pub` is what the binary, the fuzz targets, the example and the tests use; the rest shows to rustc
// when nothing uses it any more. Read the documentation with `--document-private-items`.
#![warn(unreachable_pub)]
#![allow(rustdoc::private_intra_doc_links)]

pub(crate) mod accept;
pub mod admission;
pub mod config;
pub(crate) mod delivery;
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
