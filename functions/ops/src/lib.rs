//! Health, administration, what Redis holds, and the answer for every path that no other component serves.

mod admin;
mod api;
mod erase;
mod health;
mod info;
mod keys;
mod redis_permissions;
mod routes;
mod stats;

runtime::component!(crate::routes::route);
