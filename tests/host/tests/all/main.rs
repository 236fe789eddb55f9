//! The host with a real component: `fixture/`. Each test has a host of its own, and a Redis of its
//! own where it needs one.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "all of this is tests, which fail by panicking"
)]

mod http;
mod lifecycle;
mod permissions;
mod postgres;
mod postgres_pool;
mod redis;
mod sqlite;
mod start;
mod support;
mod tls;
