//! The connection for commands: one, multiplexed, replaced when it breaks. No command waits longer
//! than the deadlines: while Redis is unreachable, commands fail at once.
//!
//! Not redis-rs's `ConnectionManager`: its callers wait through all of its attempts, and it keeps a
//! connection to a server that answers READONLY or LOADING after a failover.

use std::borrow::Cow;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult,
    ServerErrorKind,
};
use shared::script::Script;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout};

use crate::backoff::Backoff;
use crate::limits::{REDIS_ANSWER_DEADLINE, REDIS_CONNECT_DEADLINE};

/// Is told about the connection, for metrics and readiness.
pub trait Watch: Send + Sync + 'static {
    /// Redis answered.
    fn answered(&self);
    /// A connection was established.
    fn connected(&self);
    /// The connection broke, or its server no longer serves commands.
    fn lost(&self);
}

/// The connection that every user of Redis but a subscription shares; see the module.
pub struct Commands {
    client: Client,
    watch: Arc<dyn Watch>,
    /// Notified when a connection was replaced: the new one may lead to another Redis.
    pub reconnected: Arc<Notify>,
    // An async lock, held while connecting: concurrent callers wait for that one attempt.
    state: Mutex<State>,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Identifies a connection: only a caller that used the broken one may drop it.
    generation: u64,
    /// Time of the next attempt; commands fail until then.
    retry_at: Instant,
    backoff: Backoff,
}

impl Commands {
    /// Connects with the first command.
    #[must_use]
    pub fn new(client: Client, watch: Arc<dyn Watch>) -> Self {
        let state = State {
            connection: None,
            generation: 0,
            retry_at: Instant::now(),
            backoff: Backoff::default(),
        };
        let reconnected = Arc::new(Notify::new());
        Self { client, watch, reconnected, state: Mutex::new(state) }
    }

    /// Sends a pipeline and reads its answers.
    ///
    /// # Errors
    /// Redis cannot be reached, did not answer in time, or answered with an error.
    pub async fn query<T: FromRedisValue>(&self, pipeline: &Pipeline) -> RedisResult<T> {
        let (mut connection, generation) = self.connection().await?;
        let answer: RedisResult<T> = pipeline.query_async(&mut connection).await;
        match &answer {
            Ok(_) => self.watch.answered(),
            Err(error) if is_away(error) => self.drop_connection(generation).await,
            Err(_) => {}
        }
        answer
    }

    /// Runs a script; sends its source if the server does not know it yet.
    ///
    /// # Errors
    /// As [`Commands::query`]. Unless Redis itself answered, the script may have been executed or
    /// may still be.
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[Cow<'_, str>],
    ) -> RedisResult<T> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVALSHA").arg(script.sha1()).arg(keys.len()).arg(keys).arg(args);
        match self.query::<(T,)>(&pipeline).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {}
            answer => return answer.map(|(answer,)| answer),
        }
        let mut pipeline = redis::pipe();
        pipeline.cmd("EVAL").arg(script.source).arg(keys.len()).arg(keys).arg(args);
        self.query::<(T,)>(&pipeline).await.map(|(answer,)| answer)
    }

    /// Allows an attempt at once, because another connection has reached Redis.
    pub fn retry_now(&self) {
        // If it is locked, an attempt is running.
        if let Ok(mut state) = self.state.try_lock() {
            state.retry_at = Instant::now();
            state.backoff.reset();
        }
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        if Instant::now() < state.retry_at {
            return Err(away("Redis was unreachable a moment ago"));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REDIS_CONNECT_DEADLINE))
            .set_response_timeout(Some(REDIS_ANSWER_DEADLINE));
        let connecting = self.client.get_multiplexed_async_connection_with_config(&config);
        // Not the crate's own timeouts, which exclude name resolution and TLS.
        let connected = match timeout(REDIS_CONNECT_DEADLINE, connecting).await {
            Ok(connected) => connected,
            Err(_) => Err(away("no connection to Redis in time")),
        };
        match connected {
            Ok(connection) => {
                state.backoff.reset();
                state.generation += 1;
                state.connection = Some(connection.clone());
                self.watch.connected();
                if state.generation > 1 {
                    self.reconnected.notify_one();
                }
                Ok((connection, state.generation))
            }
            Err(error) => {
                state.retry_at = Instant::now() + state.backoff.next_wait();
                Err(error)
            }
        }
    }

    async fn drop_connection(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation && state.connection.take().is_some() {
            self.watch.lost();
        }
    }
}

/// Whether a new connection may help, so that it is not the command that is wrong: this one is broken
/// or silent, or its server is not (or no longer) one that serves commands.
#[must_use]
pub fn is_away(error: &RedisError) -> bool {
    let is_not_serving = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly
        )
    );
    is_not_serving || error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error()
}

fn away(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Io, why))
}
