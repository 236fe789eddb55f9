//! The connection to Redis: one per instance, shared by its concurrent requests, replaced when it
//! breaks. Spin's connections never reconnect and have no deadlines.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use shared::script::Script;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use spin_sdk::time::sleep;

use super::deadline::within;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// A healthy call takes about a millisecond. A request that waits longer than this is better served
/// by the documented behaviour without Redis.
const CALL_DEADLINE: Duration = Duration::from_millis(1000);
const OPEN_DEADLINE: Duration = Duration::from_millis(1000);
/// Interval at which requests check for the connection that another request is opening. That
/// request cannot wake them: a wake-up across requests traps the instance (wit-bindgen without
/// inter-task wake-up).
const OPENING_POLL: Duration = Duration::from_millis(1);

/// Redis through the host.
pub struct SpinRedis {
    url: String,
    slot: RefCell<Slot>,
    /// Failed attempts to open a connection. Requests that waited for a failed attempt fail with
    /// it: if each tried in turn, a Redis that hangs would delay the last one by a second per
    /// request.
    failed_opens: Cell<u32>,
}

enum Slot {
    Empty,
    /// A request is opening a connection.
    Opening,
    Open(Rc<Connection>),
}

impl SpinRedis {
    pub(crate) fn new(url: String) -> Self {
        Self { url, slot: RefCell::new(Slot::Empty), failed_opens: Cell::new(0) }
    }

    /// The connection, and whether it had been open before.
    async fn connection(&self) -> Result<(Rc<Connection>, bool), RedisError> {
        let failed_opens = self.failed_opens.get();
        loop {
            match &*self.slot.borrow() {
                Slot::Open(connection) => return Ok((Rc::clone(connection), true)),
                Slot::Empty if self.failed_opens.get() != failed_opens => {
                    return Err(RedisError::Unavailable(
                        "another request could not connect".to_owned(),
                    ));
                }
                Slot::Empty => break,
                Slot::Opening => {}
            }
            // Bounded by the deadline of the request that opens: it always leaves `Opening`.
            sleep(OPENING_POLL).await;
        }
        *self.slot.borrow_mut() = Slot::Opening;
        let opening = Opening(self);
        let opened = within(OPEN_DEADLINE, Connection::open(&self.url)).await;
        drop(opening);
        let problem = match opened {
            Some(Ok(connection)) => {
                let connection = Rc::new(connection);
                *self.slot.borrow_mut() = Slot::Open(Rc::clone(&connection));
                return Ok((connection, false));
            }
            Some(Err(error)) => text_of(error),
            None => "no connection in time".to_owned(),
        };
        self.failed_opens.set(self.failed_opens.get().wrapping_add(1));
        Err(RedisError::Unavailable(problem))
    }

    /// Drops a broken connection unless it was replaced meanwhile.
    fn discard(&self, broken: &Rc<Connection>) {
        let mut slot = self.slot.borrow_mut();
        if matches!(&*slot, Slot::Open(current) if Rc::ptr_eq(current, broken)) {
            *slot = Slot::Empty;
        }
    }

    /// Runs a command; `args` builds its arguments for each attempt.
    async fn execute(
        &self,
        name: &str,
        args: impl Fn() -> Vec<RedisParameter>,
    ) -> Result<Vec<Reply>, RedisError> {
        let (connection, was_open) = self.connection().await?;
        match self.call(&connection, name, args()).await {
            // A kept connection usually broke long ago, when Redis restarted or closed it as idle.
            // Redis may well be available now.
            Err(RedisError::Broken(_)) if was_open => {
                let (connection, _) = self.connection().await?;
                self.call(&connection, name, args()).await
            }
            outcome => outcome,
        }
    }

    async fn call(
        &self,
        connection: &Rc<Connection>,
        name: &str,
        args: Vec<RedisParameter>,
    ) -> Result<Vec<Reply>, RedisError> {
        let error = match within(CALL_DEADLINE, connection.execute(name, args)).await {
            Some(Ok(results)) => return Ok(results.into_iter().map(reply).collect()),
            Some(Err(error)) => classify(error),
            None => RedisError::Unavailable("no answer in time".to_owned()),
        };
        if matches!(error, RedisError::Broken(_) | RedisError::Unavailable(_)) {
            self.discard(connection);
        }
        Err(error)
    }
}

/// Leaves `Opening` even if the request that opens is dropped.
struct Opening<'a>(&'a SpinRedis);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut slot = self.0.slot.borrow_mut();
        if matches!(&*slot, Slot::Opening) {
            *slot = Slot::Empty;
        }
    }
}

impl Redis for SpinRedis {
    async fn eval(
        &self,
        script: &Script,
        keys: &[String],
        args: &[Arg<'_>],
    ) -> Result<Vec<Reply>, RedisError> {
        let parameters = |head: &str| {
            let mut list = Vec::with_capacity(2 + keys.len() + args.len());
            list.push(binary(head));
            list.push(RedisParameter::Int64(i64::try_from(keys.len()).unwrap_or(i64::MAX)));
            list.extend(keys.iter().map(|key| binary(key)));
            list.extend(args.iter().map(parameter));
            list
        };
        match self.execute("EVALSHA", || parameters(script.sha1())).await {
            Err(RedisError::Refused(text)) if is_noscript(&text) => {
                self.execute("EVAL", || parameters(script.source)).await
            }
            other => other,
        }
    }

    async fn command(&self, name: &str, args: &[Arg<'_>]) -> Result<Vec<Reply>, RedisError> {
        self.execute(name, || args.iter().map(parameter).collect()).await
    }
}

fn is_noscript(text: &str) -> bool {
    text.contains("NoScriptError")
}

fn binary(text: &str) -> RedisParameter {
    RedisParameter::Binary(text.as_bytes().to_vec())
}

fn parameter(arg: &Arg<'_>) -> RedisParameter {
    match arg {
        Arg::Int(value) => RedisParameter::Int64(*value),
        Arg::Text(text) => binary(text),
    }
}

fn reply(result: RedisResult) -> Reply {
    match result {
        RedisResult::Nil => Reply::Nil,
        RedisResult::Status(text) => Reply::Status(text),
        RedisResult::Int64(value) => Reply::Int(value),
        RedisResult::Binary(bytes) => Reply::Bytes(bytes),
    }
}

fn classify(error: Error) -> RedisError {
    match error {
        Error::TypeError => RedisError::WrongType,
        Error::Other(text) => RedisError::classify(text),
        Error::InvalidAddress | Error::TooManyConnections => {
            RedisError::Unavailable(text_of(error))
        }
    }
}

fn text_of(error: Error) -> String {
    match error {
        // The host reports the same for a malformed URL and for one that is not in `redis_host`.
        Error::InvalidAddress => {
            "the address is not valid or not allowed: redis_url must match redis_host".to_owned()
        }
        Error::TooManyConnections => "too many connections".to_owned(),
        Error::TypeError => "a reply of another type".to_owned(),
        Error::Other(text) => text,
    }
}
