//! Redis as a trait: commands and scripts in, flat replies out.

use std::rc::Rc;

use shared::script::Script;

/// One element of a flat reply. Hosts do not pass nested replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No value, such as a missing key.
    Nil,
    /// An integer.
    Int(i64),
    /// A status, such as `OK`.
    Status(String),
    /// A bulk string.
    Bytes(Vec<u8>),
}

impl Reply {
    /// The value as an integer, also if Redis sent it as text.
    pub fn int(&self) -> Option<i64> {
        match self {
            Reply::Int(value) => Some(*value),
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Reply::Nil | Reply::Status(_) => None,
        }
    }

    /// The bytes of a bulk string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bytes(bytes) => Some(bytes),
            Reply::Nil | Reply::Int(_) | Reply::Status(_) => None,
        }
    }

    /// The text of a bulk string in UTF-8 or of a status.
    pub fn text(&self) -> Option<&str> {
        match self {
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Reply::Status(text) => Some(text),
            Reply::Nil | Reply::Int(_) => None,
        }
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisError {
    /// The connection broke, perhaps long before this call; a new connection may work at once.
    Broken(String),
    /// Redis cannot be reached, did not reply in time, or cannot serve now (loading, replica). The
    /// call may have taken effect.
    Unavailable(String),
    /// A key holds another type than the call expects.
    WrongType,
    /// Redis rejected the call: a bug in the caller, a missing permission, or Redis is full.
    Refused(String),
    /// The reply does not have the shape that the script's header states: a bug. Contains the name
    /// of the script.
    Malformed(&'static str),
}

impl RedisError {
    /// Classifies an error text of the host's client library. Errors that Redis sent have one of
    /// two forms; all others ("broken pipe", "connection reset…") come from the connection.
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

/// A Redis that runs scripts and commands, each within its own deadline. If the connection breaks
/// during a call, the call may run twice: it must be safe to repeat.
///
/// A component uses [`App::redis`](crate::App::redis). Functions that take any implementation also
/// run in native tests.
///
/// ```
/// use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
/// use shared::script::Script;
///
/// /// Adds a member to a set that expires after its last change. Returns the size of the set.
/// /// KEYS: the set. ARGV: member, seconds until expiry.
/// static JOIN: Script = Script::new(
///     "room_join",
///     "redis.call('SADD', KEYS[1], ARGV[1])
///      redis.call('EXPIRE', KEYS[1], ARGV[2])
///      return redis.call('SCARD', KEYS[1])",
/// );
///
/// async fn join(redis: &impl Redis, room: &str, member: &str) -> Result<i64, RedisError> {
///     let keys = [format!("room:{room}")];
///     let reply = redis.eval(&JOIN, &keys, &[Arg::Text(member), Arg::Int(3600)]).await?;
///     reply.first().and_then(Reply::int).ok_or(RedisError::Malformed(JOIN.name))
/// }
/// ```
#[allow(async_fn_in_trait, reason = "components are single-threaded; no Send bound is wanted")]
pub trait Redis {
    /// Runs `script` with EVALSHA, and with EVAL if Redis does not know it yet. An array is
    /// returned element by element, any other reply as the only element.
    ///
    /// # Errors
    /// [`RedisError`].
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError>;

    /// Runs one command; the reply has the form of [`Redis::eval`]'s.
    ///
    /// # Errors
    /// [`RedisError`].
    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError>;
}

/// A store that is shared with background work, which outlives its request.
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
    /// An integer, sent as its decimal text.
    Int(i64),
    /// Text.
    Text(&'a str),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_their_text() {
        // The texts of redis-rs 0.32, which Spin 4.1 and tests/host use.
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

    /// A bug, not an outage: no client should repeat the request because of it.
    #[test]
    fn a_malformed_reply_is_an_internal_error() {
        let status = |error: RedisError| shared::Error::from(error).code().status();
        assert_eq!(status(RedisError::Malformed("feed_push")), 500);
        assert_eq!(status(RedisError::Broken(String::new())), 503);
        assert_eq!(status(RedisError::WrongType), 409);
    }
}
