//! Campaigns: lists of users to reach, taken in batches by workers, and what came back. They lie in
//! Redis alone, for a day.

mod campaign;
mod responses;
mod routes;
mod users;

runtime::component!(crate::routes::route);
