//! Redis as the mechanisms see it: scripts go in, flat replies come out.

use shared::script::Script;

/// One element of a (flat) reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Nil,
    Int(i64),
    Status(String),
    Bytes(Vec<u8>),
}

impl Reply {
    /// The value as an integer, also where Redis sent it as text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Reply::Int(value) => Some(*value),
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Reply::Nil | Reply::Status(_) => None,
        }
    }

    /// The value as text.
    pub fn text(&self) -> Option<&str> {
        match self {
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Reply::Status(text) => Some(text),
            Reply::Nil | Reply::Int(_) => None,
        }
    }
}

/// What can go wrong with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisError {
    /// Not reached, not answered in time, or answered that it cannot serve now (loading, replica).
    /// Whether the call took effect is not known.
    Unavailable(String),
    /// A key holds another type than the layout says.
    WrongType,
    /// The server refused the call; nothing more is known. A fault of ours or a full server.
    Refused(String),
}

impl RedisError {
    /// Sorts an error text of the server or of the client library.
    pub fn classify(text: String) -> Self {
        // Texts of redis-rs, which the host passes on: refusals of a server that is well. Whatever
        // else went wrong, a new connection is the better start.
        const WELL: [&str; 4] = ["ResponseError", "NoScriptError", "OOM", "MISCONF"];
        if text.contains("WRONGTYPE") {
            RedisError::WrongType
        } else if WELL.iter().any(|word| text.contains(word)) {
            RedisError::Refused(text)
        } else {
            RedisError::Unavailable(text)
        }
    }
}

impl std::fmt::Display for RedisError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RedisError::Unavailable(text) => write!(f, "unavailable: {text}"),
            RedisError::WrongType => f.write_str("a key holds another type"),
            RedisError::Refused(text) => write!(f, "refused: {text}"),
        }
    }
}

impl From<RedisError> for shared::Error {
    fn from(error: RedisError) -> Self {
        use shared::{Code, Error};
        match error {
            RedisError::WrongType => {
                Error::new(Code::WrongType, "a Redis key of this request holds another type")
            }
            RedisError::Unavailable(_) | RedisError::Refused(_) => {
                Error::new(Code::RedisUnavailable, "Redis cannot be reached or does not answer")
            }
        }
    }
}

/// A Redis that runs scripts and commands, each within a deadline of its own.
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Redis {
    /// Runs `script` (EVALSHA, and EVAL where the server does not know it yet).
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError>;

    /// Runs one command.
    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError>;
}

/// An argument of a script or command.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    Int(i64),
    Text(&'a str),
}
