//! Where Redis is, and a connection for commands.

mod commands;
mod target;

pub use commands::{Commands, Watch};
pub use target::RedisTarget;
