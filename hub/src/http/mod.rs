//! HTTP without routes: the first request's head as it is read, what a refusal is called, and how
//! answers look.
//!
//! Knows no path, no user and no limit of others than its own: who may come in is decided in
//! [`admission`](crate::admission) and [`session`](crate::session).

pub(crate) mod problem;
pub mod refusal_reason;
pub mod request_head;
pub mod request_id;
