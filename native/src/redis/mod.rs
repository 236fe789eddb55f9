//! Where Redis is, and a connection for commands.

mod commands;
mod target;

pub use commands::{Commands, Watch, is_away};
pub use target::RedisTarget;
