//! Cached reads: the resources that `resources.toml` declares, stale-while-revalidate.

mod access;
mod cache_control;
mod invalidate;
mod origins;
mod read;
mod resources;
#[cfg(test)]
mod resources_tests;
mod respond;
mod routes;
mod served;
mod source;
mod template;
mod toml_table;

runtime::component!(crate::routes::route);
