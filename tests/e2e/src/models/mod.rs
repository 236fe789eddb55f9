//! The mechanisms of `runtime` without WASM: random calls on a real Redis and real databases, compared
//! with models of the contract; the cache as a library, and the push of campaigns, case by case.

mod cache_engine;
mod cache_model;
mod campaign_push;
mod on_cluster;
pub mod record_model;
