//! Programs: how they are found and started, and on which port.

pub mod paths;
pub mod ports;
pub mod process;
pub mod schemathesis;
