//! A hub's connection to Redis, which loses calls and answers.

use std::borrow::Cow;

use hub::presence::lease::Scripts;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisResult, Value};
use shared::script::Script;

/// Late calls kept; further ones are lost.
const LATE_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    CallLost,
    AnswerLost,
    /// Redis executes the call after the client gave up.
    CarriedOutLate,
}

pub struct Call {
    script: &'static Script,
    keys: Vec<String>,
    args: Vec<String>,
}

/// A hub's connection to Redis, which may fail.
pub struct Line<'a> {
    pub connection: MultiplexedConnection,
    pub fault: Fault,
    pub late: &'a Mutex<Vec<Call>>,
}

impl Scripts for Line<'_> {
    async fn run(
        &self,
        script: &'static Script,
        keys: &[&str],
        args: &[Cow<'_, str>],
    ) -> RedisResult<Value> {
        let call = Call {
            script,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            args: args.iter().map(|arg| arg.to_string()).collect(),
        };
        let lost = || Err((ErrorKind::Io, "lost").into());
        match self.fault {
            Fault::None => execute(&self.connection, &call).await,
            Fault::CallLost => lost(),
            Fault::AnswerLost => execute(&self.connection, &call).await.and_then(|_| lost()),
            Fault::CarriedOutLate => {
                let mut late = self.late.lock();
                if late.len() < LATE_MAX {
                    late.push(call);
                }
                lost()
            }
        }
    }
}

pub async fn execute(connection: &MultiplexedConnection, call: &Call) -> RedisResult<Value> {
    let mut command = redis::cmd("EVAL");
    command.arg(call.script.source).arg(call.keys.len()).arg(&call.keys).arg(&call.args);
    command.query_async(&mut connection.clone()).await
}
