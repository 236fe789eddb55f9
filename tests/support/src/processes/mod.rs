//! Programs: their paths, their start, and their ports.

pub mod paths;
pub mod ports;
pub mod process;
pub mod schemathesis;
