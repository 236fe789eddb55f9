//! Keeps the feeds in Redis in step with the record: appends and publishes entries in order
//! ([`delivery`]), removes deleted ones ([`removal`]), copies read marks ([`marks`]), and delivers
//! later the entries that Redis missed, in the same instance ([`retry`]) or by the relay ([`relay`]).

pub mod delivery;
pub mod marks;
mod push_script;
mod redis_runs;
pub mod relay;
pub mod removal;
pub mod retry;
