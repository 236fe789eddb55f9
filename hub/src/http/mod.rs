//! HTTP without routes: the head of the first request, the reasons for rejections, and the form of
//! answers.
//!
//! Knows no path, no user and no limit but its own: [`admission`](crate::admission) and
//! [`session`](crate::session) decide which clients are let in.

pub(crate) mod problem;
pub mod refusal_reason;
pub mod request_head;
pub mod request_id;
