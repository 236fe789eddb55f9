//! Model-based tests: random calls of `runtime`'s mechanisms on a real Redis and real databases,
//! without WASM, compared with what the contract says must have come of them.
//!
//! `BELLWIRE_MODEL_CASES` runs more cases. A failure prints its seed (`BELLWIRE_MODEL_SEED`
//! repeats it) and the shortest sequence of operations that fails.

mod calls;
mod concurrent;
mod creates;
mod crowd;
mod deadlocks;
mod devices;
mod expected;
mod fan_out;
mod feed;
mod heard;
mod imports;
mod operator;
mod ops;
mod overtaken;
mod races;
pub mod redis;
pub mod seed;
mod sequential;
pub mod sql;
mod theirs;
mod tokens;
mod world;
