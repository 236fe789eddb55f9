//! What operators and load balancers see of the hub: the page of `/metrics`. How it is served, and
//! `/healthz` and `/readyz`, are [`native::ops`].
//!
//! Counts nothing itself: the counters are in [`metrics`](crate::metrics), which every room may
//! write to.

pub mod endpoint;
pub(crate) mod text;
