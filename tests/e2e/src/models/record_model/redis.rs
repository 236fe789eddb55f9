//! The runtime's Redis over a native client, with faults on request.

use std::cell::RefCell;
use std::time::Duration;

use redis::Value;
use redis::aio::MultiplexedConnection;
use runtime::ports::redis::{Arg, Redis, RedisError, Reply};
use shared::script::Script;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The command does not reach the server.
    Before,
    /// The command ran, its answer is lost.
    After,
}

/// Decides the fate of each call.
pub type Fate = Box<dyn FnMut() -> Option<Fault>>;

pub type Delay = Box<dyn FnMut() -> Duration>;

/// A connection that fails when its fate says so.
pub struct FaultyRedis {
    connection: MultiplexedConnection,
    fate: RefCell<Fate>,
    /// How long each call takes to reach the server.
    delay: RefCell<Delay>,
}

impl FaultyRedis {
    pub fn new(connection: MultiplexedConnection, delay: Delay, fate: Fate) -> Self {
        Self { connection, fate: RefCell::new(fate), delay: RefCell::new(delay) }
    }

    async fn call(&self, command: redis::Cmd) -> Result<Vec<Reply>, Failure> {
        let fate = (self.fate.borrow_mut())();
        let away = |what: &str| Failure::Other(RedisError::Unavailable(what.to_owned()));
        if fate == Some(Fault::Before) {
            return Err(away("it did not arrive"));
        }
        let delay = (self.delay.borrow_mut())();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answer = command.query_async::<Value>(&mut self.connection.clone()).await;
        match (fate, answer) {
            (Some(_), Err(error)) if error.code() == Some("NOSCRIPT") => Err(Failure::NoScript),
            (Some(_), _) => Err(away("its answer was lost")),
            (None, Ok(value)) => Ok(replies(value)),
            (None, Err(error)) => Err(sorted(&error)),
        }
    }
}

enum Failure {
    NoScript,
    Other(RedisError),
}

impl From<Failure> for RedisError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoScript => RedisError::Refused("NoScriptError".to_owned()),
            Failure::Other(error) => error,
        }
    }
}

fn sorted(error: &redis::RedisError) -> Failure {
    let text = error.to_string();
    Failure::Other(match error.code() {
        Some("NOSCRIPT") => return Failure::NoScript,
        Some("WRONGTYPE") => RedisError::WrongType,
        Some("LOADING" | "MASTERDOWN" | "NOAUTH" | "READONLY") => RedisError::Unavailable(text),
        Some(_) => RedisError::Refused(text),
        None => RedisError::Broken(text),
    })
}

pub fn replies(value: Value) -> Vec<Reply> {
    match value {
        Value::Array(values) => values.into_iter().map(reply).collect(),
        value => vec![reply(value)],
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(value) => Reply::Int(value),
        Value::BulkString(bytes) => Reply::Bytes(bytes),
        Value::SimpleString(text) => Reply::Status(text),
        Value::Okay => Reply::Status("OK".to_owned()),
        other => panic!("no script or command here answers {other:?}"),
    }
}

pub fn with_args(mut command: redis::Cmd, args: &[Arg<'_>]) -> redis::Cmd {
    for arg in args {
        match arg {
            Arg::Int(value) => command.arg(*value),
            Arg::Text(text) => command.arg(*text),
        };
    }
    command
}

impl Redis for FaultyRedis {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let command = |name: &str, head: &str| {
            let mut command = redis::cmd(name);
            command.arg(head).arg(keys.len()).arg(keys);
            with_args(command, args)
        };
        match self.call(command("EVALSHA", script.sha1())).await {
            Err(Failure::NoScript) => Ok(self.call(command("EVAL", script.source)).await?),
            other => Ok(other?),
        }
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        Ok(self.call(with_args(redis::cmd(name), args)).await?)
    }
}
