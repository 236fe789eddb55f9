//! What the benchmarks have in common.

pub mod cpu;
pub mod node;
pub mod stats;
pub mod table;
