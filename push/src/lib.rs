//! Sends pushes through FCM, Web Push and APNs.
//!
//! Two halves. The pure one has no I/O and takes time and randomness as arguments: what to send
//! ([`message`], [`template`], [`collapse`], and per service [`fcm`], [`webpush`], [`apns`]), what an
//! answer means ([`outcome`]), and when to go on ([`schedule`], [`rate`], [`hold`], [`guard`]). The
//! other one, in `io`, holds connections and credentials; [`Sender`] puts both together and is what a
//! worker drives.
//!
//! This crate does not know where pushes come from: claiming them, asking presence, storing results
//! and removing addresses is the worker's.

pub mod apns;
pub mod collapse;
pub mod fcm;
pub mod guard;
pub mod hold;
mod io;
mod jwt;
pub mod limits;
pub mod message;
pub mod metrics;
mod origin;
pub mod outcome;
pub mod rate;
pub mod retry_after;
pub mod schedule;
mod secret;
pub mod sender;
pub mod template;
pub mod webpush;

pub use io::Roots;
pub use jwt::{Es256, KeyError, Rs256};
pub use origin::{Origin, Scheme};
pub use secret::Secret;
pub use sender::{Address, Push, Sender};
