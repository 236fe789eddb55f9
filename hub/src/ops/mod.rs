//! What operators and load balancers ask: `/metrics`, `/healthz`, `/readyz`.
//!
//! Counts nothing itself: that is [`metrics`](crate::metrics), which every other room may write to.

pub mod endpoint;
pub(crate) mod health_routes;
pub(crate) mod text;
