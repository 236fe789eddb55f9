//! Errors of Redis, sorted by what a caller can do about them.

/// How the host's client library begins the text of an error that Redis sent.
const SIGNALLED: &str = "An error was signalled by the server";

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisError {
    /// The connection broke, perhaps long before this call; a new connection may work at once.
    Broken(String),
    /// Redis cannot be reached, did not reply in time, or cannot serve now (loading, replica). The
    /// call may have taken effect.
    Unavailable(String),
    /// Redis did nothing of the call, and the same call may work a moment later, perhaps on another
    /// server: a slot is being moved, or has no master for now. [`App::redis`](crate::App::redis)
    /// tries again by itself; its last attempt ends as [`RedisError::Unavailable`].
    TryAgain(String),
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
        const MOVING: [&str; 4] = ["TryAgain", "ClusterDown", "Moved", "Ask"];
        // Texts of a script's error: its first command of such a slot fails.
        const MOVING_IN_SCRIPT: [&str; 2] = ["access a non local key", "while the cluster is down"];
        let word = text.split_once(": ").map_or("", |(word, _)| word);
        let is_code = !word.is_empty() && word.bytes().all(|b| b.is_ascii_uppercase());
        let is_reply = is_code || text.starts_with(SIGNALLED);
        if text.contains("WRONGTYPE") {
            RedisError::WrongType
        } else if !is_reply {
            RedisError::Broken(text)
        } else if MOVING.contains(&kind(&text))
            || MOVING_IN_SCRIPT.iter().any(|words| text.contains(words))
        {
            RedisError::TryAgain(text)
        } else if AWAY.iter().any(|word| text.contains(word)) {
            RedisError::Unavailable(text)
        } else {
            RedisError::Refused(text)
        }
    }
}

/// The kind in a text such as `An error was signalled by the server - Moved: 3999 host:6379`.
fn kind(text: &str) -> &str {
    let rest = text.strip_prefix(SIGNALLED).unwrap_or_default();
    let rest = rest.trim_start_matches([' ', '-']);
    rest.split_once(':').map_or(rest, |(kind, _)| kind)
}

impl std::fmt::Display for RedisError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RedisError::Broken(text) => write!(f, "broken connection: {text}"),
            RedisError::Unavailable(text) => write!(f, "unavailable: {text}"),
            RedisError::TryAgain(text) => write!(f, "not now: {text}"),
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
            RedisError::Refused(text) => Error::new(Code::RedisUnavailable, refused(&text)),
            RedisError::Broken(_) | RedisError::Unavailable(_) | RedisError::TryAgain(_) => {
                Error::new(Code::RedisUnavailable, "Redis cannot be reached or does not answer")
            }
        }
    }
}

/// What an operator has to mend; the text itself may name keys.
fn refused(text: &str) -> &'static str {
    if text.contains("MISCONF") {
        "Redis accepts no writes, because it cannot save its data"
    } else if text.contains("OOM") {
        "Redis accepts no writes, because its memory is full"
    } else {
        "Redis refuses a command that this request needs"
    }
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
        for moving in [
            server("Moved: 15171 127.0.0.1:27102"),
            server("Ask: 1907 127.0.0.1:27102"),
            server("TryAgain: Multiple keys request during rehashing of slot"),
            server("ClusterDown: Hash slot not served"),
            "An error was signalled by the server- TryAgain".to_owned(),
            server(
                "ResponseError: Script attempted to access a non local key in a cluster node \
                 script: 9d1, on @user_script:1.",
            ),
            server(
                "ResponseError: Script attempted to execute a command while the cluster is down",
            ),
        ] {
            assert_eq!(classify(&moving), RedisError::TryAgain(moving.clone()));
        }
        for refused in [
            server("CrossSlot: Keys in request don't hash to the same slot"),
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
        let full = RedisError::Refused("MISCONF: Errors writing to the AOF file".to_owned());
        assert!(shared::Error::from(full).detail().contains("cannot save its data"));
    }
}
