//! HTTP without routes: the head of the first request, and the reasons for rejections. The form of
//! answers is [`native::http`].
//!
//! Knows no path, no user and no limit but its own: [`admission`](crate::admission) and
//! [`session`](crate::session) decide which clients are let in.

pub mod refusal_reason;
pub mod request_head;
