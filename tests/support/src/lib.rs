//! The harness of all tests and benchmarks: a test's own Redis, record, functions and hubs on free
//! ports, a network with faults, and clients that show bytes as received. There is one of each; a
//! test that needs more of one extends it here.
//!
//! | room | contents |
//! |---|---|
//! | `processes` | [`process`]: the launcher of programs; [`ports`], [`paths`]; [`Schemathesis`] |
//! | `servers` | [`RedisServer`], [`Postgres`], [`Record`], [`SmallDisk`]: storage |
//! | | [`Functions`], [`Hub`]: the programs under test |
//! | | [`Proxy`], [`Origin`], [`Gateway`]: network faults, an HTTP origin, an existing service |
//! | | [`PushService`]: FCM, a browser's push service, APNs |
//! | `clients` | [`Http`], [`Socket`], [`Events`], [`Published`]: requests, and three ways to receive |
//! | | [`jwt`]: tokens; [`api`]: every answer against `docs/openapi.json` |
//! | `benchmarks` | [`cpu`] time, [`memory`], [`stats`], [`table`]s, peers in [`node`] |
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

pub use benchmarks::{cpu, memory, node, stats, table};
pub use clients::{api, events, http, jwt, published, push_tester, socket};
pub use processes::{paths, ports, process, schemathesis};
pub use servers::small_disk;
pub use servers::{
    functions, gateway, hub, origin, postgres, proxy, push_service, record, redis_server,
};

pub use events::Events;
pub use functions::{Functions, Setup};
pub use gateway::Gateway;
pub use http::{Answer, Http};
pub use hub::Hub;
pub use jwt::{Jwt, token};
pub use origin::{Origin, Plan};
pub use postgres::Postgres;
pub use proxy::Proxy;
pub use published::Published;
pub use push_service::PushService;
pub use record::Record;
pub use redis_server::RedisServer;
pub use schemathesis::Schemathesis;
pub use small_disk::SmallDisk;
pub use socket::Socket;
pub use wait::{eventually, eventually_within, within};
