//! Redis as the mechanisms see it: scripts go in, flat replies come out.

use std::rc::Rc;

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

    /// The value of a bulk string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bytes(bytes) => Some(bytes),
            Reply::Nil | Reply::Int(_) | Reply::Status(_) => None,
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
    /// The connection broke, maybe long before this call; another one may work at once.
    Broken(String),
    /// Not reached, not answered in time, or answered that it cannot serve now (loading, replica).
    /// Whether the call took effect is not known.
    Unavailable(String),
    /// A key holds another type than the layout says.
    WrongType,
    /// The server refused the call: a fault of ours, a missing permission or a full server.
    Refused(String),
    /// The reply does not have the shape that the script's header states; names the script. A fault
    /// of ours.
    Malformed(&'static str),
}

impl RedisError {
    /// Sorts an error text of the host's client library: what the server said has one of two
    /// forms, and everything else ("broken pipe", "connection reset…") came from the connection.
    pub fn classify(text: String) -> Self {
        const AWAY: [&str; 5] = ["BusyLoading", "MasterDown", "NOAUTH", "ReadOnly", "WRONGPASS"];
        let word = text.split_once(": ").map_or("", |(word, _)| word);
        let is_code = !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        let is_reply = is_code || text.starts_with("An error was signalled by the server");
        if text.contains("WRONGTYPE") {
            RedisError::WrongType
        } else if !is_reply {
            RedisError::Broken(text)
        } else if AWAY.iter().any(|word| text.contains(word)) {
            RedisError::Unavailable(text)
        } else {
            RedisError::Refused(text)
        }
    }
}

impl std::fmt::Display for RedisError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RedisError::Broken(text) => write!(f, "broken connection: {text}"),
            RedisError::Unavailable(text) => write!(f, "unavailable: {text}"),
            RedisError::WrongType => f.write_str("a key holds another type"),
            RedisError::Refused(text) => write!(f, "refused: {text}"),
            RedisError::Malformed(script) => write!(f, "{script} gave a malformed reply"),
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
            RedisError::Malformed(_) => Error::new(Code::Internal, "Redis gave a malformed reply"),
            RedisError::Broken(_) | RedisError::Unavailable(_) | RedisError::Refused(_) => {
                Error::new(Code::RedisUnavailable, "Redis cannot be reached or does not answer")
            }
        }
    }
}

/// A Redis that runs scripts and commands, each within a deadline of its own. A call whose
/// connection broke under it may be made twice, so it must be harmless when it is.
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

/// A store that is shared with work that outlives a request.
impl<R: Redis> Redis for Rc<R> {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        (**self).eval(script, keys, args).await
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        (**self).command(name, args).await
    }
}

/// An argument of a script or command.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    Int(i64),
    Text(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_their_text() {
        // As redis-rs 0.32 writes them, which is what Spin 4.1 and tests/host have.
        let server = |rest: &str| format!("An error was signalled by the server - {rest}");
        let classify = |text: &str| RedisError::classify(text.to_owned());
        for broken in ["broken pipe", "Connection refused (os error 111)", "unexpected end of file"]
        {
            assert_eq!(classify(broken), RedisError::Broken(broken.to_owned()));
        }
        for away in [
            server("BusyLoadingError: Redis is loading the dataset in memory"),
            server("ReadOnly: You can't write against a read only replica."),
            server("MasterDown: Link with MASTER is down"),
            "NOAUTH: Authentication required.".to_owned(),
        ] {
            assert_eq!(classify(&away), RedisError::Unavailable(away.clone()));
        }
        for refused in [
            server("ResponseError: unknown command 'FOO'"),
            server("NoScriptError: No matching script."),
            "OOM: command not allowed when used memory > 'maxmemory'.".to_owned(),
        ] {
            assert_eq!(classify(&refused), RedisError::Refused(refused.clone()));
        }
        let wrong = "WRONGTYPE: Operation against a key holding the wrong kind of value";
        assert_eq!(classify(wrong), RedisError::WrongType);
    }
}
