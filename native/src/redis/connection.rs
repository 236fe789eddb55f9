//! The connection for commands to one server: one, multiplexed, replaced when it breaks. No command
//! waits longer than the deadlines: while the server is unreachable, commands fail at once.
//!
//! Not redis-rs's `ConnectionManager`: its callers wait through all of its attempts, and it keeps a
//! connection to a server that answers READONLY or LOADING after a failover.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind,
    Value,
};
use shared::cluster::Server;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::limits::{REDIS_ANSWER_DEADLINE, REDIS_CONNECT_DEADLINE};

/// Is told about the connections, for metrics and readiness.
pub trait Watch: Send + Sync + 'static {
    /// Redis answered.
    fn answered(&self);
    /// A connection was established.
    fn connected(&self);
    /// A connection broke, or its server no longer serves commands.
    fn lost(&self);
    /// An established connection was given up: its server is not a master any more.
    fn closed(&self);
}

/// A master, as the process sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    /// Where it is.
    pub server: Server,
    /// Whether the connection for commands is established.
    pub is_connected: bool,
    /// Time since its last answer, or since it became a master.
    pub silent_for: Duration,
}

/// The connection to one server; see the module.
pub(super) struct Connection {
    /// Or why there can be none.
    client: RedisResult<Client>,
    watch: Arc<dyn Watch>,
    /// Notified when a connection was replaced: the new one may lead to another Redis.
    reconnected: Arc<Notify>,
    /// Whether a server that does not serve commands loses its connection: behind one address, a
    /// new one may lead to another server.
    drops_unserving: bool,
    // An async lock, held while connecting: concurrent callers wait for that one attempt.
    state: Mutex<State>,
    is_connected: AtomicBool,
    began: Instant,
    /// Time of the last answer, in milliseconds after `began`.
    answered_ms: AtomicU64,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Identifies a connection: only a caller that used the broken one may drop it.
    generation: u64,
    /// Time of the next attempt; commands fail until then.
    retry_at: Instant,
    /// Why the last attempt failed.
    problem: String,
    backoff: Backoff,
}

/// Why there are no answers.
pub(super) struct Failure {
    pub(super) error: RedisError,
    /// The commands may have been executed, or may still be.
    pub(super) was_sent: bool,
}

impl Connection {
    /// Connects with the first command.
    pub(super) fn new(
        client: RedisResult<Client>,
        watch: Arc<dyn Watch>,
        reconnected: Arc<Notify>,
        drops_unserving: bool,
    ) -> Self {
        let state = State {
            connection: None,
            generation: 0,
            retry_at: Instant::now(),
            problem: String::new(),
            backoff: Backoff::default(),
        };
        Self {
            client,
            watch,
            reconnected,
            drops_unserving,
            state: Mutex::new(state),
            is_connected: AtomicBool::new(false),
            began: Instant::now(),
            answered_ms: AtomicU64::new(0),
        }
    }

    /// Sends a pipeline; returns one value for each command, also the servers' errors. Of a
    /// transaction, the one value of `EXEC`.
    pub(super) async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Value>, Failure> {
        let connected = self.connection().await;
        let (mut connection, generation) =
            connected.map_err(|error| Failure { error, was_sent: false })?;
        let (skipped, kept) = match pipeline.is_transaction() {
            true => (pipeline.len() + 1, 1),
            false => (0, pipeline.len()),
        };
        match connection.req_packed_commands(pipeline, skipped, kept).await {
            Ok(values) if !values.iter().any(is_not_serving) => {
                self.answered();
                Ok(values)
            }
            Ok(values) => {
                if self.drops_unserving {
                    self.drop_connection(generation).await;
                }
                Ok(values)
            }
            Err(error) => {
                if is_away(&error) {
                    self.drop_connection(generation).await;
                }
                Err(Failure { error, was_sent: true })
            }
        }
    }

    /// Allows an attempt at once, because another connection has reached the server.
    pub(super) fn retry_now(&self) {
        // If it is locked, an attempt is running.
        if let Ok(mut state) = self.state.try_lock() {
            state.retry_at = Instant::now();
            state.backoff.reset();
        }
    }

    fn is_connected(&self) -> bool {
        self.is_connected.load(Relaxed)
    }

    /// Time since the last answer, or since the beginning if there was none.
    fn silent_for(&self) -> Duration {
        let answered = Duration::from_millis(self.answered_ms.load(Relaxed));
        self.began.elapsed().saturating_sub(answered)
    }

    pub(super) fn as_master(&self, server: Server) -> Master {
        Master { server, is_connected: self.is_connected(), silent_for: self.silent_for() }
    }

    fn answered(&self) {
        let after = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.answered_ms.store(after, Relaxed);
        self.watch.answered();
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if Instant::now() < state.retry_at {
            let problem = state.problem.clone();
            let what = "Redis was unreachable a moment ago";
            return Err(RedisError::from((ErrorKind::Io, what, problem)));
        }
        match connect(&self.client).await {
            Ok(connection) => {
                state.backoff.reset();
                state.generation += 1;
                state.connection = Some(connection.clone());
                self.is_connected.store(true, Relaxed);
                self.watch.connected();
                if state.generation > 1 {
                    self.reconnected.notify_one();
                }
                Ok((connection, state.generation))
            }
            Err(error) => {
                state.retry_at = Instant::now() + state.backoff.next_wait();
                state.problem = error.to_string();
                Err(error)
            }
        }
    }

    async fn drop_connection(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation && state.connection.take().is_some() {
            self.is_connected.store(false, Relaxed);
            self.watch.lost();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_connected() {
            self.watch.closed();
        }
    }
}

/// Connects within [`REDIS_CONNECT_DEADLINE`].
pub(super) async fn connect(client: &RedisResult<Client>) -> RedisResult<MultiplexedConnection> {
    let client = client.as_ref().map_err(RedisError::clone)?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(REDIS_CONNECT_DEADLINE))
        .set_response_timeout(Some(REDIS_ANSWER_DEADLINE));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    // Not the crate's own timeouts, which exclude name resolution and TLS.
    match timeout(REDIS_CONNECT_DEADLINE, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(away("no connection to Redis in time")),
    }
}

/// Whether a new connection may help, so that it is not the command that is wrong: this one is broken
/// or silent, or its server is not (or no longer) one that serves commands.
#[must_use]
pub fn is_away(error: &RedisError) -> bool {
    let is_not_serving =
        matches!(error.kind(), ErrorKind::Server(kind) if is_kind_not_serving(kind));
    is_not_serving || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}

fn is_not_serving(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind().is_some_and(is_kind_not_serving))
}

fn is_kind_not_serving(kind: ServerErrorKind) -> bool {
    matches!(
        kind,
        ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly
    )
}

pub(super) fn away(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, why))
}
