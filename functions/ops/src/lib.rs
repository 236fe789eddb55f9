//! Health, administration, statistics of Redis, and the answer for every path of no other
//! component.

mod admin;
mod api;
mod erase;
mod health;
mod info;
mod keys;
mod metrics;
mod redis_permissions;
mod routes;
mod stats;

runtime::component!(crate::routes::route);
