//! The push worker: claims pushes, sends them with [`push`], and says what became of them.
//!
//! It decides nothing about who gets a push: the functions do, on the record. It has no database
//! and no state that a restart could lose: what is claimed and not settled is claimed again. Redis
//! holds campaigns only; without it, notifications are pushed all the same.
//!
//! The rooms, in the order of the data flow:
//!
//! - [`config`]: flags, variables and file, checked before anything starts; [`vapid_key`]
//! - [`worker`]: the tasks, and the order in which they end
//! - [`functions`]: the functions' routes for the worker
//! - [`redis`]: the connection, the wake-ups, the calls of a campaign's scripts
//! - [`sending`]: one push: bound, sender, guards, and what its outcome means
//! - [`jobs`]: pushes of single notifications
//! - [`campaigns`]: pushes of campaigns
//! - [`trials`]: test pushes
//! - [`quiet`]: quiet hours
//! - [`health`], [`metrics`]: what operators see
//! - [`limits`]: every number, with its reason

#![warn(unreachable_pub)]
#![allow(rustdoc::private_intra_doc_links)]

pub(crate) mod campaigns;
pub mod config;
pub(crate) mod functions;
pub(crate) mod health;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod metrics;
pub(crate) mod quiet;
pub(crate) mod redis;
pub(crate) mod sending;
pub(crate) mod trials;
pub mod vapid_key;
pub mod worker;
