//! Health, administration, and the answer for every path that no other component serves.

mod admin;
mod erase;
mod health;
mod routes;

runtime::component!(crate::routes::route);
