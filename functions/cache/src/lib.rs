//! Cached reads: the resources that `resources.toml` declares, stale-while-revalidate.

mod access;
mod bound;
mod cache_control;
mod directives;
mod invalidate;
mod page;
mod read;
mod routes;
mod served;
mod source;
mod summary;

runtime::component!(crate::routes::route);
