//! The program and its surroundings: command line, signals, drain, metrics, permissions, rooms of the code.

pub mod binary;
mod drain;
mod metrics;
mod permissions;
mod rooms;
