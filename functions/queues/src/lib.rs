//! Work queues with visibility timeouts and dead letters, over a list that other services can use
//! directly. The rules are in `shared/lua/queue*.lua`: one script per operation, no background
//! worker.

mod dead;
mod index;
mod name;
mod receive;
mod routes;
mod send;
mod settle;
mod stats;
mod store;

runtime::component!(crate::routes::route);
