//! Routes for operators and load balancers: `/metrics`, `/healthz`, `/readyz`.
//!
//! Counts nothing itself: what a page shows is the program's ([`Endpoint`]).

mod access;
mod endpoint;
mod format;
mod health_routes;

pub use access::MetricsAccess;
pub use endpoint::Endpoint;
pub use format::Format;
pub use health_routes::{Ready, health_router};
