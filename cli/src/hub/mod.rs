//! The hub's socket `bellwire.v1`, as a client: docs/hub-protocol.md is its contract.

mod cursor;
mod frame;
mod position;
mod socket;

pub use cursor::Cursor;
pub use frame::Frame;
pub use position::Position;
pub use socket::{Closed, Received, Refused, Socket};
