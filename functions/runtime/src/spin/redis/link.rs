//! The connection to one server: one per instance, shared by its concurrent requests, replaced when
//! it breaks.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use shared::cluster::{RedisAddress, Server};
use spin_sdk::redis::{Connection, Error, RedisParameter};
use spin_sdk::time::sleep;

use super::call::{Call, Form, reply};
use crate::ports::redis::{RedisError, Reply};
use crate::spin::deadline::within;

/// A healthy call takes about a millisecond. A request that waits longer than this is better served
/// by the documented behaviour without Redis.
pub(super) const CALL_DEADLINE: Duration = Duration::from_millis(1000);
pub(super) const OPEN_DEADLINE: Duration = Duration::from_millis(1000);
/// Interval at which requests check for the connection that another request is opening. That
/// request cannot wake them: a wake-up across requests traps the instance (wit-bindgen without
/// inter-task wake-up).
pub(super) const OPENING_POLL: Duration = Duration::from_millis(1);

/// A call under way. On the heap, like the other futures here, so that a component has their code
/// once and not in each caller.
pub(super) type Called<'a> = Pin<Box<dyn Future<Output = Result<Vec<Reply>, Failure>> + 'a>>;

/// The connection to one server.
pub(super) struct Link {
    pub(super) server: Server,
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

/// Why a call on one server failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The host refuses the address, or the number of connections: no other attempt will help.
    Forbidden(String),
    /// No connection; nothing was sent.
    NoConnection(String),
    /// No connection or no answer within the deadline; the call may have taken effect.
    Silent(&'static str),
    /// The connection broke; the call may have taken effect.
    Broken(String),
    /// The server's own error.
    Reply(RedisError),
}

impl From<Failure> for RedisError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Forbidden(text) | Failure::NoConnection(text) => RedisError::Unavailable(text),
            Failure::Silent(text) => RedisError::Unavailable(text.to_owned()),
            Failure::Broken(text) => RedisError::Broken(text),
            Failure::Reply(error) => error,
        }
    }
}

impl Link {
    pub(super) fn new(address: &RedisAddress, server: &Server) -> Self {
        Self {
            server: server.clone(),
            url: address.url_of(server),
            slot: RefCell::new(Slot::Empty),
            failed_opens: Cell::new(0),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(&*self.slot.borrow(), Slot::Open(_))
    }

    /// Runs a call on this server.
    pub(super) fn run<'a>(&'a self, call: &'a Call<'_>) -> Called<'a> {
        Box::pin(self.execute(call))
    }

    async fn execute(&self, call: &Call<'_>) -> Result<Vec<Reply>, Failure> {
        let (mut form, mut is_reopened) = (Form::Digest, false);
        loop {
            let (connection, was_open) = self.connection().await?;
            let failure = match send(&connection, call.command(form)).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            if failure.closes() {
                self.discard(&connection);
            }
            match failure {
                // A kept connection usually broke long ago, when Redis restarted or closed it as
                // idle. Redis may well be available now.
                Failure::Broken(_) if was_open && !is_reopened => is_reopened = true,
                Failure::Reply(error) if form == Form::Digest && is_noscript(&error) => {
                    (form, is_reopened) = (Form::Text, false);
                }
                failure => return Err(failure),
            }
        }
    }

    /// The connection, and whether it had been open before.
    async fn connection(&self) -> Result<(Rc<Connection>, bool), Failure> {
        let failed_opens = self.failed_opens.get();
        loop {
            match &*self.slot.borrow() {
                Slot::Open(connection) => return Ok((Rc::clone(connection), true)),
                Slot::Empty if self.failed_opens.get() != failed_opens => {
                    let problem = "another request could not connect".to_owned();
                    return Err(Failure::NoConnection(problem));
                }
                Slot::Empty => break,
                Slot::Opening => {}
            }
            // Bounded by the deadline of the request that opens: it always leaves `Opening`.
            pause(OPENING_POLL).await;
        }
        *self.slot.borrow_mut() = Slot::Opening;
        let opening = Opening(self);
        let opened = open(&self.url).await;
        drop(opening);
        match opened {
            Ok(connection) => {
                let connection = Rc::new(connection);
                *self.slot.borrow_mut() = Slot::Open(Rc::clone(&connection));
                Ok((connection, false))
            }
            Err(failure) => {
                self.failed_opens.set(self.failed_opens.get().wrapping_add(1));
                Err(failure)
            }
        }
    }

    /// Drops a broken connection unless it was replaced meanwhile.
    fn discard(&self, broken: &Rc<Connection>) {
        let mut slot = self.slot.borrow_mut();
        if matches!(&*slot, Slot::Open(current) if Rc::ptr_eq(current, broken)) {
            *slot = Slot::Empty;
        }
    }
}

impl Failure {
    /// Whether the connection must not be used again: it is broken, or leads to a server that
    /// cannot serve.
    pub(super) fn closes(&self) -> bool {
        match self {
            Failure::Silent(_) | Failure::Broken(_) => true,
            Failure::Reply(error) => matches!(error, RedisError::Unavailable(_)),
            Failure::Forbidden(_) | Failure::NoConnection(_) => false,
        }
    }
}

/// Leaves `Opening` even if the request that opens is dropped.
struct Opening<'a>(&'a Link);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut slot = self.0.slot.borrow_mut();
        if matches!(&*slot, Slot::Opening) {
            *slot = Slot::Empty;
        }
    }
}

/// Waits for `time`.
pub(super) fn pause(time: Duration) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(sleep(time))
}

/// Opens a connection within its deadline.
pub(super) fn open<'a>(
    url: &'a str,
) -> Pin<Box<dyn Future<Output = Result<Connection, Failure>> + 'a>> {
    Box::pin(open_inline(url))
}

async fn open_inline(url: &str) -> Result<Connection, Failure> {
    match within(OPEN_DEADLINE, Connection::open(url)).await {
        Some(Ok(connection)) => Ok(connection),
        // The host reports the same for a malformed URL and for one that is not in `redis_host`.
        Some(Err(Error::InvalidAddress)) => {
            let problem =
                "the address is not valid or not allowed: redis_url must match redis_host";
            Err(Failure::Forbidden(problem.to_owned()))
        }
        Some(Err(error @ Error::TooManyConnections)) => Err(Failure::Forbidden(text_of(error))),
        Some(Err(error)) => Err(Failure::NoConnection(text_of(error))),
        None => Err(Failure::Silent("no connection in time")),
    }
}

/// Runs one command on a connection, within the deadline of a call.
pub(super) fn send<'a>(
    connection: &'a Connection,
    command: (&'a str, Vec<RedisParameter>),
) -> Called<'a> {
    Box::pin(send_inline(connection, command))
}

async fn send_inline(
    connection: &Connection,
    (name, args): (&str, Vec<RedisParameter>),
) -> Result<Vec<Reply>, Failure> {
    match within(CALL_DEADLINE, connection.execute(name, args)).await {
        Some(Ok(results)) => Ok(results.into_iter().map(reply).collect()),
        Some(Err(Error::TypeError)) => Err(Failure::Reply(RedisError::WrongType)),
        Some(Err(Error::Other(text))) => Err(match RedisError::classify(text) {
            RedisError::Broken(text) => Failure::Broken(text),
            error => Failure::Reply(error),
        }),
        Some(Err(error)) => Err(Failure::Reply(RedisError::Unavailable(text_of(error)))),
        None => Err(Failure::Silent("no answer in time")),
    }
}

pub(super) fn is_noscript(error: &RedisError) -> bool {
    matches!(error, RedisError::Refused(text) if text.contains("NoScriptError"))
}

fn text_of(error: Error) -> String {
    match error {
        Error::InvalidAddress => "the address is not valid or not allowed".to_owned(),
        Error::TooManyConnections => "too many connections".to_owned(),
        Error::TypeError => "a reply of another type".to_owned(),
        Error::Other(text) => text,
    }
}
