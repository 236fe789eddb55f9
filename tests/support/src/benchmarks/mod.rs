//! Shared parts of the benchmarks.

pub mod cpu;
pub mod memory;
pub mod node;
pub mod stats;
pub mod table;
