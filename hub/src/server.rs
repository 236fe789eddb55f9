//! The hub as a whole: starts the tasks, accepts connections, and ends in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::first_request::Acceptor;
use crate::accept::router::router;
use crate::admission::Admission;
use crate::admission::refusal_log::RefusalLog;
use crate::config::Config;
use crate::delivery::catchup;
use crate::delivery::dispatcher::Dispatcher;
use crate::limits::{ACCEPT_PAUSE, DRAIN_SOCKETS_PER_S};
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::ops::endpoint::Endpoint;
use crate::presence::Presence;
use crate::redis::commands::Commands;
use crate::redis::permissions;
use crate::relay::{Relay, Signs};
use crate::session::state::App;
use crate::session::ticket_route::TicketDesk;
use crate::session::tickets::Tickets;
use crate::socket::timer_wheel::TimerWheel;
use crate::socket::total_queued::TotalQueued;
use crate::users::{ReadRequest, Registry};

/// Serves until `shutdown` resolves, then says goodbye to every socket, within the deadline of the
/// configuration. `scrapes` is where `/metrics` has an address of its own.
///
/// # Errors
/// The machine has no thread or no descriptors left for the hub to start with, or a part of it has
/// failed while it ran.
pub async fn run(
    listener: TcpListener,
    scrapes: Option<TcpListener>,
    config: Config,
    relay: Option<Relay>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let config = Arc::new(config);
    let health = Arc::new(Health::default());
    if config.keys.is_empty() {
        health.set_keyless();
    }
    let metrics = Arc::new(Metrics::default());
    let refusals = Arc::new(RefusalLog::new(metrics.clone()));
    let admission = Admission::new(config.admission.clone());
    let redis =
        Arc::new(Commands::new(config.redis.client.clone(), health.clone(), metrics.clone()));
    let tickets = Arc::new(Tickets::new(redis.clone()));
    let presence = Arc::new(Presence::new(config.pace.presence, metrics.clone()));
    let (registry, requests) = Registry::new(presence.clone(), metrics.clone());
    let sessions = TaskTracker::new();
    let wheel = Arc::new(TimerWheel::new(config.pace.ping_interval));
    let app = Arc::new(App {
        config: config.clone(),
        registry: registry.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
        refusals: refusals.clone(),
        admission: admission.clone(),
        tickets: tickets.clone(),
        wheel: wheel.clone(),
        queued: Arc::new(TotalQueued::new(config.queued_bytes_max)),
        sessions: sessions.clone(),
        sockets: AtomicU64::new(0),
    });
    // None of them ends by itself. Aborted on drop: they have nothing to put in order.
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { wheel.run().await });
    let summing_up = refusals.clone();
    tasks.spawn(async move { summing_up.run().await });
    spawn_readers(&mut tasks, &config, &registry, &redis, &health, requests, relay)?;
    let stop_presence = CancellationToken::new();
    let (present, presence_ended) = oneshot::channel::<()>();
    let presence_task = tokio::spawn({
        let (presence, redis, registry) = (presence.clone(), redis.clone(), registry.clone());
        let stop = stop_presence.clone();
        async move {
            let _present = present; // dropped by a panic, too
            presence.run(&redis, &*registry, stop).await;
        }
    });
    tasks.spawn(async move {
        let _ = presence_ended.await;
    });

    let closing = CancellationToken::new();
    let endpoint = Arc::new(Endpoint {
        access: config.metrics.clone(),
        metrics: metrics.clone(),
        health: health.clone(),
        admission,
        registry: registry.clone(),
    });
    if let Some(scrapes) = scrapes {
        tasks.spawn(endpoint.clone().serve(scrapes));
    }
    let desk = Arc::new(TicketDesk {
        config: config.clone(),
        tickets,
        metrics,
        refusals: refusals.clone(),
    });
    let routes = router(app.clone()).merge(desk.router()).merge(endpoint.router());
    let acceptor = Acceptor::new(app, routes, closing.clone());
    let mut outcome = Ok(());
    tokio::select! {
        () = accept(&listener, &acceptor, &sessions) => {}
        () = shutdown => {}
        // A hub that goes on without one of its parts looks healthy and is not.
        _ = tasks.join_next() => {
            tracing::error!("a part of the hub has failed; it ends, to be started again");
            outcome = Err(io::Error::other("a part of the hub has failed"));
        }
    }
    tracing::info!("shutting down");
    let deadline = Instant::now() + config.shutdown.deadline;
    health.set_draining();
    drop(listener);
    closing.cancel();
    sessions.close();
    let goodbye = async {
        drain(&registry, config.pace.drain_spread).await;
        sessions.wait().await;
    };
    let sockets_deadline = deadline - (config.shutdown.deadline - config.shutdown.sockets_deadline);
    if timeout_at(sockets_deadline, goodbye).await.is_err() {
        tracing::warn!(left = sessions.len(), "some sockets did not close in time");
    }
    stop_presence.cancel();
    let releasing = async {
        // The presence task has stopped before its last word is said for it.
        let _ = presence_task.await;
        presence.release(&redis).await;
    };
    if timeout_at(deadline, releasing).await.is_err() {
        tracing::warn!("presence was not released in time; it expires by itself");
    }
    refusals.sum_up();
    tracing::info!("bye");
    outcome
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
) -> io::Result<()> {
    let behind = Arc::new(Notify::new());
    let dispatcher = Dispatcher {
        redis: config.redis.client.get_connection_info().clone(),
        runtime: Handle::current(),
        registry: registry.clone(),
        commands: redis.clone(),
        health: health.clone(),
        pace: config.pace,
        behind: behind.clone(),
        metrics: registry.metrics.clone(),
    };
    let (stop, ended) = dispatcher.start()?;
    tasks.spawn(async move {
        let _stops_with_the_tasks = stop;
        let _ = ended.await;
    });
    tasks.spawn(permissions::watch(redis.clone(), health.clone()));
    tasks.spawn(catchup::serve(registry.clone(), redis.clone(), requests, behind.clone()));
    let (swept, again) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let wanted = catchup::Wanted { behind, again: again.clone() };
    tasks.spawn(catchup::sweep(registry.clone(), redis.clone(), wanted, swept.clone()));
    if let Some(relay) = relay {
        // After the sweep: what the relay sends then comes live, on top of what was missed.
        let signs = Signs { swept, reconnected: redis.reconnected.clone() };
        tasks.spawn(relay.run(signs, registry.clone(), again));
    }
    Ok(())
}

/// Closes everyone's socket, a few at a time: clients that come back at once do not come at once.
async fn drain(registry: &Registry, spread: Duration) {
    registry.set_draining();
    let start = Instant::now();
    let mut closed = 0;
    let shards = registry.drain(spread);
    let count = shards.size_hint().0.max(1);
    for (at, sockets) in shards.enumerate() {
        closed += sockets;
        // A few sockets need no spread.
        let needed = Duration::from_secs_f64(closed as f64 / DRAIN_SOCKETS_PER_S as f64);
        let share = spread.mul_f64((at + 1) as f64 / count as f64);
        tokio::time::sleep_until(start + needed.min(share)).await;
    }
}

/// Accepts connections for ever.
async fn accept(listener: &TcpListener, acceptor: &Acceptor, connections: &TaskTracker) {
    let mut is_failing = false;
    loop {
        match listener.accept().await {
            Ok((connection, peer)) => {
                is_failing = false;
                acceptor.clone().accepted(connection, peer.ip(), connections);
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
