//! What is sent to a server: a command, or a script by its digest and, if the server does not know
//! it, by its text.

use shared::script::Script;
use spin_sdk::redis::{RedisParameter, RedisResult};

use crate::ports::redis::{Arg, Reply};

/// A call, which may be sent several times.
#[derive(Clone, Copy)]
pub(super) enum Call<'a> {
    Command { name: &'a str, args: &'a [Arg<'a>] },
    Script { script: &'a Script, keys: &'a [String], args: &'a [Arg<'a>] },
}

/// How a script is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Digest,
    /// For a server that does not know the digest.
    Text,
}

/// Commands whose first argument is not a key. A publication reaches every server of a cluster.
const WITHOUT_KEY: [&str; 9] =
    ["CLUSTER", "CONFIG", "DBSIZE", "ECHO", "INFO", "PING", "PUBLISH", "SCAN", "TIME"];

impl Call<'_> {
    /// The key that decides which server of a cluster runs the call; `None`: any.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            Call::Script { keys, .. } => keys.first().map(String::as_str),
            Call::Command { name, args } => match args.first() {
                Some(Arg::Text(key)) if !WITHOUT_KEY.contains(name) => Some(key),
                _ => None,
            },
        }
    }

    /// The name and the arguments of the command to send.
    pub(super) fn command(&self, form: Form) -> (&str, Vec<RedisParameter>) {
        match (self, form) {
            (Call::Command { name, args }, _) => (name, args.iter().map(parameter).collect()),
            (Call::Script { script, keys, args }, Form::Digest) => {
                ("EVALSHA", script_parameters(script.sha1(), keys, args))
            }
            (Call::Script { script, keys, args }, Form::Text) => {
                ("EVAL", script_parameters(script.source, keys, args))
            }
        }
    }
}

fn script_parameters(head: &str, keys: &[String], args: &[Arg<'_>]) -> Vec<RedisParameter> {
    let mut list = Vec::with_capacity(2 + keys.len() + args.len());
    list.push(binary(head));
    list.push(RedisParameter::Int64(i64::try_from(keys.len()).unwrap_or(i64::MAX)));
    list.extend(keys.iter().map(|key| binary(key)));
    list.extend(args.iter().map(parameter));
    list
}

pub(super) fn binary(text: &str) -> RedisParameter {
    RedisParameter::Binary(text.as_bytes().to_vec())
}

fn parameter(arg: &Arg<'_>) -> RedisParameter {
    match arg {
        Arg::Int(value) => RedisParameter::Int64(*value),
        Arg::Text(text) => binary(text),
    }
}

pub(super) fn reply(result: RedisResult) -> Reply {
    match result {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Status(text) => Reply::Status(text),
        RedisResult::Int64(value) => Reply::Int(value),
        RedisResult::Binary(bytes) => Reply::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_decides() {
        let key = |name, args: &[Arg<'_>]| Call::Command { name, args }.key().map(str::to_owned);
        assert_eq!(key("GET", &[Arg::Text("a")]).as_deref(), Some("a"));
        assert_eq!(key("MGET", &[Arg::Text("a"), Arg::Text("b")]).as_deref(), Some("a"));
        assert_eq!(key("SPUBLISH", &[Arg::Text("c"), Arg::Text("m")]).as_deref(), Some("c"));
        assert_eq!(key("PUBLISH", &[Arg::Text("c"), Arg::Text("m")]), None);
        assert_eq!((key("SCAN", &[Arg::Text("0")]), key("PING", &[])), (None, None));
    }
}
