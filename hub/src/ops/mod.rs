//! Routes for operators and load balancers: `/metrics`, `/healthz`, `/readyz`.
//!
//! Counts nothing itself: the counters are in [`metrics`](crate::metrics), which every room may
//! write to.

pub mod endpoint;
pub(crate) mod health_routes;
pub(crate) mod text;
