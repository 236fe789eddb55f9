//! The worker's program, with functions and push services of the tests' own and a real Redis. Every
//! test has all of them for itself.
//!
//! | file | |
//! |---|---|
//! | `jobs` | pushes of single notifications: sent once, repeated, given up, removed |
//! | `campaigns` | campaigns: templates, progress, pauses, several workers |
//! | `content` | campaigns whose content cannot be sent; dry runs |
//! | `cluster` | a Redis Cluster, and Sentinel |
//! | `faults` | workers killed, functions and Redis away |
//! | `process` | command line, readiness, metrics, the end |
//! | `tls` | encrypted connections, and certificates that are not accepted |
//! | `support` | functions that remember, and the whole world around a worker |

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod campaigns;
mod cluster;
mod content;
mod faults;
mod jobs;
mod process;
mod support;
mod tls;
