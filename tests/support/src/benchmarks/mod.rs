//! Shared parts of the benchmarks.

pub mod chart;
pub mod cpu;
pub mod held;
pub mod memory;
pub mod node;
pub mod output;
pub mod stats;
pub mod table;
