//! Redis as a trait: commands and scripts in, flat replies out.

mod error;

use std::rc::Rc;

use shared::cluster::Server;
use shared::live::Live;
use shared::script::Script;

pub use error::RedisError;

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

/// A Redis that runs scripts and commands, each within its own deadline. If the connection breaks
/// during a call, the call may run twice: it must be safe to repeat.
///
/// It may be one server or a cluster, in which the first key of a call decides where it runs: the
/// keys of a script have to be of one hash slot. A command without a key (`PING`, `SCAN`, `INFO`,
/// `PUBLISH`…) runs on any server; for every other one the first argument counts as its key.
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

    /// The servers that have keys, each once: the masters of a cluster as it is now, or the only
    /// server.
    ///
    /// # Errors
    /// [`RedisError`].
    async fn servers(&self) -> Result<Vec<Node>, RedisError> {
        Ok(vec![None])
    }

    /// [`Redis::command`] on one of [`Redis::servers`], without another attempt on a second one.
    ///
    /// # Errors
    /// [`RedisError`].
    async fn command_on(
        &self,
        _node: &Node,
        name: &str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        self.command(name, args).await
    }

    /// [`Redis::eval`] of a script without keys on one of [`Redis::servers`].
    ///
    /// # Errors
    /// [`RedisError`].
    async fn eval_on(
        &self,
        _node: &Node,
        script: &Script,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        self.eval(script, &[], args).await
    }

    /// Whether the keys are on several servers: then a call reaches the keys of one hash slot.
    fn is_cluster(&self) -> bool {
        false
    }

    /// Why some hash slots of a cluster have no server, as far as that is known.
    fn gap(&self) -> Option<String> {
        None
    }

    /// On which channels the scripts publish.
    fn live(&self) -> Live {
        Live::All
    }

    /// The positions in `keys`, grouped by the server that serves each key: the keys of a group can
    /// be reached by one script that declares `allow-cross-slot-keys` and gets them as arguments.
    /// One group on one Redis.
    ///
    /// # Errors
    /// [`RedisError`].
    async fn by_server(&self, keys: &[&str]) -> Result<Vec<Vec<usize>>, RedisError> {
        Ok(vec![(0..keys.len()).collect()])
    }
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

    async fn servers(&self) -> Result<Vec<Node>, RedisError> {
        (**self).servers().await
    }

    async fn command_on(
        &self,
        node: &Node,
        name: &str,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        (**self).command_on(node, name, args).await
    }

    async fn eval_on(
        &self,
        node: &Node,
        script: &Script,
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        (**self).eval_on(node, script, args).await
    }

    fn is_cluster(&self) -> bool {
        (**self).is_cluster()
    }

    fn gap(&self) -> Option<String> {
        (**self).gap()
    }

    fn live(&self) -> Live {
        (**self).live()
    }

    async fn by_server(&self, keys: &[&str]) -> Result<Vec<Vec<usize>>, RedisError> {
        (**self).by_server(keys).await
    }
}

/// One of the servers behind a [`Redis`]; `None` is the only one.
pub type Node = Option<Server>;

/// An argument of a script or command.
#[derive(Clone, Copy, Debug)]
pub enum Arg<'a> {
    /// An integer, sent as its decimal text.
    Int(i64),
    /// Text.
    Text(&'a str),
}
