//! The command itself, against real functions, hub and Redis. Every test has all of them for itself.
//!
//! | file | |
//! |---|---|
//! | `notifications` | notify, feed, read, presence, devices |
//! | `queues` | queues and their messages |
//! | `campaigns` | load, Ctrl-C and again, wrong rows, steering |
//! | `watch` | frames as they arrive, a hub that restarts, gaps |
//! | `cache` | cached values |
//! | `doctor` | what is wrong is found |
//! | `failures` | exit codes, repeats, texts; secrets stay secret |
//! | `world` | functions, hub and Redis, and the command with their addresses |

// clippy.toml allows this in `#[test]` functions; the harness around them fails the same way.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod cache;
mod campaigns;
mod doctor;
mod failures;
mod imports;
mod notifications;
mod queues;
mod watch;
mod world;
