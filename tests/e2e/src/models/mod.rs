//! The mechanisms of `runtime` without WASM: random calls on a real Redis and real databases, compared
//! with models of the contract; and the cache as a library, case by case.

mod cache_engine;
mod cache_model;
pub mod record_model;
