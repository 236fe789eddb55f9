//! The harness of all tests and benchmarks: a test's own Redis, record, functions and hubs on free
//! ports, a network with faults, and clients that show bytes as received. There is one of each; a
//! test that needs more of one extends it here.
//!
//! | room | contents |
//! |---|---|
//! | `processes` | [`process`]: the launcher of programs; [`ports`], [`paths`]; [`Schemathesis`] |
//! | `servers` | [`RedisServer`], [`RedisCluster`], [`Sentinel`], [`Postgres`], [`Record`], |
//! | | [`SmallDisk`]: storage |
//! | | [`FakeClock`]: a clock of dates that jumps |
//! | | [`Functions`], [`Hub`], [`PushWorker`]: the programs under test |
//! | | [`Proxy`], [`Origin`], [`Gateway`]: network faults, an HTTP origin, an existing service |
//! | | [`Authority`], [`TlsProxy`]: certificates, and TLS in front of a program |
//! | | [`ReverseProxy`]: nginx, Caddy and HAProxy, with the files of `deploy/proxies` |
//! | | [`PushService`]: FCM, a browser's push service, APNs |
//! | `clients` | [`Http`], [`Socket`], [`Events`], [`Published`], [`OwnChannel`]: requests, and four ways to receive |
//! | | [`jwt`]: tokens; [`api`]: every answer against `docs/openapi.json` |
//! | `benchmarks` | [`cpu`] time, [`memory`], what is [`held`], [`stats`], [`table`]s and [`chart`]s, peers in [`node`], their [`output`] |
//! | [`metrics_page`] | a `/metrics` page against documents and dashboard |
//! | [`wait`] | deadlines |
//!
//! The harness knows nothing of the system's internals, and does not depend on the hub's library.
//! Everything that a test starts ends with the test, also when it panics; then the last lines of
//! the output are shown. Every wait has a deadline.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "how a test fails")]

mod benchmarks;
mod clients;
pub mod metrics_page;
mod processes;
pub mod rooms;
mod servers;
pub mod wait;

pub use benchmarks::{chart, cpu, held, memory, node, output, stats, table};
pub use clients::{api, events, http, jwt, own_channel, published, push_tester, socket};
pub use processes::{paths, ports, process, schemathesis};
pub use servers::small_disk;
pub use servers::{
    certificate, fake_clock, functions, gateway, hub, origin, postgres, proxy, push_service,
    push_worker, record, redis_cluster, redis_server, reverse_proxy, sentinel, tls_proxy,
};

pub use certificate::Authority;
pub use events::Events;
pub use fake_clock::FakeClock;
pub use functions::{Functions, Setup};
pub use gateway::Gateway;
pub use http::{Answer, Http};
pub use hub::Hub;
pub use jwt::{Jwt, token};
pub use origin::{Origin, Plan};
pub use own_channel::OwnChannel;
pub use postgres::Postgres;
pub use proxy::{ClusterProxy, Proxy};
pub use published::Published;
pub use push_service::PushService;
pub use push_worker::PushWorker;
pub use record::Record;
pub use redis_cluster::RedisCluster;
pub use redis_server::RedisServer;
pub use reverse_proxy::{ReverseProxy, Software};
pub use schemathesis::Schemathesis;
pub use sentinel::Sentinel;
pub use small_disk::SmallDisk;
pub use socket::Socket;
pub use tls_proxy::{TlsProxy, TlsTunnel};
pub use wait::{eventually, eventually_within, logged, within};
