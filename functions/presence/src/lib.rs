//! Presence: reads of the set of online users that the hubs maintain, and other services may write,
//! too.

mod presence;
mod routes;

runtime::component!(crate::routes::route);
