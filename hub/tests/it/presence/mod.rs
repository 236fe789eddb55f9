//! The online users: with real hubs, with faults, as a fleet, and against a model.

mod faults;
mod fleet;
mod model;
mod online;
