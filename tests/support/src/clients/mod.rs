//! Requests and their answers, sockets, event streams, and tokens for them.

pub mod api;
pub mod events;
pub mod http;
pub mod jwt;
pub mod own_channel;
pub mod published;
pub mod push_tester;
pub mod socket;
