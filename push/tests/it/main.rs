//! The sender against push services of the tests' own: TLS and HTTP/2 as in production, with faults.

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod apns;
mod checks;
mod connections;
mod fcm;
mod oauth;
mod support;
mod webpush;
