//! The hub as a whole: starts the tasks, accepts connections, and ends in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::catchup;
use crate::commands::Commands;
use crate::config::Config;
use crate::health::Health;
use crate::http::{App, answer, router};
use crate::limits::{
    HEADER_BYTES_MAX, HEADER_DEADLINE, SHUTDOWN_DEADLINE, SHUTDOWN_SOCKETS_DEADLINE,
};
use crate::presence::Presence;
use crate::registry::{ReadRequest, Registry};
use crate::relay::Relay;
use crate::subscriber::Subscriber;

/// Accepting fails when the process has no file descriptors left; a pause lets some be freed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until `shutdown` resolves, then says goodbye to every socket, within
/// [`SHUTDOWN_DEADLINE`].
pub async fn run(
    listener: TcpListener,
    config: Config,
    relay: Option<Relay>,
    shutdown: impl Future<Output = ()>,
) {
    let config = Arc::new(config);
    let health = Arc::new(Health::default());
    let redis = Arc::new(Commands::new(config.redis.client.clone(), health.clone()));
    let presence = Arc::new(Presence::default());
    let (registry, requests) = Registry::new(presence.clone());
    let sessions = TaskTracker::new();
    let app = Arc::new(App {
        config: config.clone(),
        registry: registry.clone(),
        health: health.clone(),
        sessions: sessions.clone(),
    });
    // Aborted on drop: these have nothing to put in order.
    let mut tasks = JoinSet::new();
    spawn_readers(&mut tasks, &config, &registry, &redis, &health, requests, relay);
    let stop_presence = CancellationToken::new();
    let presence_task = tokio::spawn({
        let (presence, redis, registry) = (presence.clone(), redis.clone(), registry.clone());
        let stop = stop_presence.clone();
        async move { presence.run(&redis, &registry, stop).await }
    });

    let closing = CancellationToken::new();
    tokio::select! {
        () = accept(&listener, router(app), &sessions, &closing) => {}
        () = shutdown => {}
    }
    tracing::info!("shutting down");
    let deadline = Instant::now() + SHUTDOWN_DEADLINE;
    health.set_draining();
    drop(listener);
    registry.drain();
    closing.cancel();
    sessions.close();
    if timeout(SHUTDOWN_SOCKETS_DEADLINE, sessions.wait()).await.is_err() {
        tracing::warn!(left = sessions.len(), "some sockets did not close in time");
    }
    stop_presence.cancel();
    let releasing = async {
        // The presence task has stopped before its last word is said for it.
        let _ = presence_task.await;
        presence.release(&redis, &registry).await;
    };
    if timeout_at(deadline, releasing).await.is_err() {
        tracing::warn!("presence was not released in time; it expires by itself");
    }
    tracing::info!("bye");
}

/// Everything that hears or reads Redis.
fn spawn_readers(
    tasks: &mut JoinSet<()>,
    config: &Config,
    registry: &Arc<Registry>,
    redis: &Arc<Commands>,
    health: &Arc<Health>,
    requests: mpsc::UnboundedReceiver<ReadRequest>,
    relay: Option<Relay>,
) {
    let behind = Arc::new(Notify::new());
    let caught_up = Arc::new(Notify::new());
    let subscriber = Subscriber {
        client: config.redis.client.clone(),
        registry: registry.clone(),
        commands: redis.clone(),
        health: health.clone(),
        pace: config.pace,
        subscribed: behind.clone(),
        undeliverable: AtomicU64::new(0),
        odd_events: AtomicU64::new(0),
    };
    tasks.spawn(subscriber.run());
    tasks.spawn(catchup::serve(registry.clone(), redis.clone(), requests, behind.clone()));
    tasks.spawn(catchup::sweep(registry.clone(), redis.clone(), behind, caught_up.clone()));
    if let Some(relay) = relay {
        // After the sweep: what the relay sends then comes live, on top of what was missed.
        tasks.spawn(relay.run(caught_up));
    }
}

/// Accepts connections for ever.
async fn accept(
    listener: &TcpListener,
    router: Router,
    connections: &TaskTracker,
    closing: &CancellationToken,
) {
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((connection, _)) => {
                is_failing = false;
                connections.spawn(serve(connection, router.clone(), closing.clone()));
            }
            Err(error) if is_about_the_connection(&error) => {}
            Err(error) => {
                if !is_failing {
                    tracing::error!(%error, "cannot accept connections");
                }
                is_failing = true;
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The peer was gone before it was accepted.
fn is_about_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves the requests of one connection, until it becomes a socket or ends.
async fn serve(connection: TcpStream, router: Router, closing: CancellationToken) {
    // Small frames must not wait for the peer's acknowledgement of the one before.
    if let Err(error) = connection.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let answer = answer(router.clone(), request.map(Body::new));
        async move { Ok::<_, std::convert::Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_DEADLINE);
    server.max_buf_size(HEADER_BYTES_MAX);
    let serving = server.serve_connection(TokioIo::new(connection), service).with_upgrades();
    let mut serving = std::pin::pin!(serving);
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        () = closing.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a connection broke");
    }
}
