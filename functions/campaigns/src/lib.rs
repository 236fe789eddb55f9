//! Campaigns: lists of users to reach, which workers take in batches, their pushes, and the
//! responses. Stored only in Redis, for a day.

mod campaign;
mod push;
mod responses;
mod routes;
mod tokens;
mod users;

runtime::component!(crate::routes::route);
