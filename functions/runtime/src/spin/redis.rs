//! The connection to Redis: one per instance, shared by its concurrent requests, replaced when it
//! breaks. Spin's never reconnects by itself, and sets no deadlines.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use shared::script::Script;
use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};
use spin_sdk::time::sleep;

use super::deadline::within;
use crate::ports::redis::{Arg, Redis, RedisError, Reply};

/// A healthy call takes about a millisecond. Whoever waits longer than this is better served by
/// what the contract promises for a Redis that is away.
const CALL_DEADLINE: Duration = Duration::from_millis(1000);
const OPEN_DEADLINE: Duration = Duration::from_millis(1000);
/// Requests that arrive while another one opens the connection look again this often. They cannot
/// be woken: a wake-up across requests traps the instance (wit-bindgen without inter-task wake-up).
const OPENING_POLL: Duration = Duration::from_millis(1);

/// A Redis reached through the host.
pub struct SpinRedis {
    url: String,
    slot: RefCell<Slot>,
    /// Failed attempts to open a connection: those who waited for one fail with it. One after the
    /// other they would wait for a Redis that hangs as many seconds as there are requests.
    failed_opens: Cell<u32>,
}

enum Slot {
    Empty,
    /// Some request is opening a connection.
    Opening,
    Open(Rc<Connection>),
}

impl SpinRedis {
    pub fn new(url: String) -> Self {
        Self { url, slot: RefCell::new(Slot::Empty), failed_opens: Cell::new(0) }
    }

    /// The connection, and whether it was open already.
    async fn connection(&self) -> Result<(Rc<Connection>, bool), RedisError> {
        let failed_opens = self.failed_opens.get();
        loop {
            match &*self.slot.borrow() {
                Slot::Open(connection) => return Ok((Rc::clone(connection), true)),
                Slot::Empty if self.failed_opens.get() != failed_opens => {
                    return Err(RedisError::Unavailable("no connection for anyone".to_owned()));
                }
                Slot::Empty => break,
                Slot::Opening => {}
            }
            // Bounded by the opener's deadline: it leaves `Opening` in any case.
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

    /// Forgets a broken connection, unless it was replaced meanwhile.
    fn discard(&self, broken: &Rc<Connection>) {
        let mut slot = self.slot.borrow_mut();
        if matches!(&*slot, Slot::Open(current) if Rc::ptr_eq(current, broken)) {
            *slot = Slot::Empty;
        }
    }

    /// Runs a command; `args` gives its arguments anew for every attempt.
    async fn execute(
        &self,
        name: &str,
        args: impl Fn() -> Vec<RedisParameter>,
    ) -> Result<Vec<Reply>, RedisError> {
        let (connection, was_open) = self.connection().await?;
        match self.call(&connection, name, args()).await {
            // A kept connection usually broke long ago, when Redis was restarted or had closed it
            // for lack of traffic: no reason to answer as if Redis were away now.
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

/// Leaves `Opening` also when the opening request is dropped.
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
        // The host says the same of a broken URL and of one that is not in `redis_host`.
        Error::InvalidAddress => {
            "the address is not valid or not allowed: redis_url must match redis_host".to_owned()
        }
        Error::TooManyConnections => "too many connections".to_owned(),
        Error::TypeError => "a reply of another type".to_owned(),
        Error::Other(text) => text,
    }
}
