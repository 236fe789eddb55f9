//! Runs the hub: starts its tasks, accepts connections, and shuts down in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use native::ops::Endpoint as _;
use native::redis::Commands;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::first_request::Acceptor;
use crate::accept::listener::accept;
use crate::accept::router::router;
use crate::admission::Admission;
use crate::admission::refusal_log::RefusalLog;
use crate::config::Config;
use crate::console::Console;
use crate::delivery::catchup;
use crate::delivery::dispatcher::Dispatcher;
use crate::demo;
use crate::limits::DRAIN_SOCKETS_PER_S;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::ops::endpoint::Endpoint;
use crate::presence::Presence;
use crate::redis::commands::commands;
use crate::redis::permissions;
use crate::relay::{Relay, Signs};
use crate::session::state::App;
use crate::session::ticket_route::TicketDesk;
use crate::session::tickets::Tickets;
use crate::socket::timer_wheel::TimerWheel;
use crate::socket::total_queued::TotalQueued;
use crate::users::{FeedRequest, Registry};

/// Where the hub accepts connections.
pub struct Listeners {
    pub clients: TcpListener,
    /// For `/metrics`, if it has an address of its own.
    pub metrics: Option<TcpListener>,
    /// For the console, and for `/metrics` if that has the same address.
    pub console: Option<TcpListener>,
}

/// Serves until `shutdown` resolves, then closes every socket, within the configured deadline.
///
/// # Errors
/// The system lacks a thread or file descriptors to start the hub, or one of its tasks failed later.
pub async fn run(
    listeners: Listeners,
    config: Config,
    relay: Option<Relay>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (hub, requests) = Hub::new(config);
    // None of these tasks ends by itself. They are aborted on drop, since they have nothing to
    // clean up.
    let mut tasks = JoinSet::new();
    hub.spawn_timers(&mut tasks);
    hub.spawn_readers(&mut tasks, requests, relay)?;
    let presence = hub.spawn_presence(&mut tasks);
    let endpoint = hub.endpoint();
    let Listeners { clients: listener, metrics, console } = listeners;
    if let Some(listener) = metrics {
        tasks.spawn(endpoint.clone().serve(listener));
    }
    let console = console.map(|listener| hub.spawn_console(&mut tasks, listener, &endpoint));
    let closing = CancellationToken::new();
    let acceptor = Acceptor::new(hub.app.clone(), hub.routes(&endpoint), closing.clone());
    let mut outcome = Ok(());
    tokio::select! {
        () = accept(&listener, &acceptor, &hub.app.sessions) => {}
        () = shutdown => {}
        // Without one of its tasks, the hub would look healthy but not work.
        _ = tasks.join_next() => {
            tracing::error!("a task of the hub failed; exiting to be restarted");
            outcome = Err(io::Error::other("a task of the hub failed"));
        }
    }
    tracing::info!("shutting down");
    let deadline = Instant::now() + hub.app.config.shutdown.deadline;
    hub.app.health.set_draining();
    drop(listener);
    closing.cancel();
    let closing = async {
        if let Some(console) = console {
            console.close().await;
        }
    };
    tokio::join!(hub.close_sockets(deadline), closing);
    hub.release_presence(presence, deadline).await;
    hub.app.refusals.sum_up();
    tracing::info!("bye");
    outcome
}

/// The parts that the tasks share.
struct Hub {
    app: Arc<App>,
    redis: Arc<Commands>,
    presence: Arc<Presence>,
}

/// The task that reports presence. Not one of the others, because it has to end before the release.
struct PresenceTask {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Hub {
    /// The parts, and the requests of [`Registry`] for reads of feeds.
    fn new(config: Config) -> (Self, mpsc::UnboundedReceiver<FeedRequest>) {
        let config = Arc::new(config);
        let health = Arc::new(Health::default());
        if config.keys.is_empty() {
            health.set_keyless();
        }
        let metrics = Arc::new(Metrics::default());
        let redis =
            Arc::new(commands(config.redis.client.clone(), health.clone(), metrics.clone()));
        let presence = Arc::new(Presence::new(config.pace.presence, metrics.clone()));
        let (registry, requests) = Registry::new(presence.clone(), metrics.clone());
        let app = Arc::new(App {
            registry,
            health,
            refusals: Arc::new(RefusalLog::new(metrics.clone())),
            metrics,
            admission: Admission::new(config.admission.clone()),
            tickets: Arc::new(Tickets::new(redis.clone())),
            wheel: Arc::new(TimerWheel::new(config.pace.ping_interval)),
            queued: Arc::new(TotalQueued::new(config.queued_bytes_max)),
            sessions: TaskTracker::new(),
            sockets: AtomicU64::new(0),
            config,
        });
        (Self { app, redis, presence }, requests)
    }

    fn endpoint(&self) -> Arc<Endpoint> {
        Arc::new(Endpoint {
            access: self.app.config.metrics.clone(),
            metrics: self.app.metrics.clone(),
            health: self.app.health.clone(),
            admission: self.app.admission.clone(),
            registry: self.app.registry.clone(),
        })
    }

    /// The routes of the clients' address.
    fn routes(&self, endpoint: &Arc<Endpoint>) -> Router {
        let desk = Arc::new(TicketDesk {
            config: self.app.config.clone(),
            tickets: self.app.tickets.clone(),
            metrics: self.app.metrics.clone(),
            refusals: self.app.refusals.clone(),
        });
        let router = router(self.app.clone()).merge(desk.router()).merge(endpoint.clone().router());
        match self.app.config.demo.clone() {
            Some(demo) => router.merge(demo::router(demo)),
            None => router,
        }
    }

    /// Spawns the console. `/metrics` is beside it if it has the same address.
    fn spawn_console(
        &self,
        tasks: &mut JoinSet<()>,
        listener: TcpListener,
        endpoint: &Arc<Endpoint>,
    ) -> Arc<Console> {
        let is_shared = self.app.config.metrics.listen == self.app.config.console.listen;
        let beside = if is_shared { endpoint.clone().routes() } else { Router::new() };
        let (app, redis, presence) = (&self.app, &self.redis, &self.presence);
        let console = Console::new(app.clone(), redis.clone(), presence.clone());
        tasks.spawn(console.clone().sample());
        tasks.spawn(console.clone().serve(listener, beside));
        console
    }

    fn spawn_timers(&self, tasks: &mut JoinSet<()>) {
        let (wheel, refusals) = (self.app.wheel.clone(), self.app.refusals.clone());
        tasks.spawn(async move { wheel.run().await });
        tasks.spawn(async move { refusals.run().await });
    }

    fn spawn_presence(&self, tasks: &mut JoinSet<()>) -> PresenceTask {
        let stop = CancellationToken::new();
        let (running, ended) = oneshot::channel::<()>();
        let task = tokio::spawn({
            let (presence, redis) = (self.presence.clone(), self.redis.clone());
            let (registry, stop) = (self.app.registry.clone(), stop.clone());
            async move {
                let _running = running; // dropped by a panic as well
                presence.run(&redis, &*registry, stop).await;
            }
        });
        tasks.spawn(async move {
            let _ = ended.await;
        });
        PresenceTask { stop, task }
    }

    /// Spawns the tasks that read from Redis, and the relay's.
    fn spawn_readers(
        &self,
        tasks: &mut JoinSet<()>,
        requests: mpsc::UnboundedReceiver<FeedRequest>,
        relay: Option<Relay>,
    ) -> io::Result<()> {
        let (registry, redis) = (&self.app.registry, &self.redis);
        let behind = Arc::new(Notify::new());
        let dispatcher = Dispatcher {
            redis: self.app.config.redis.client.get_connection_info().clone(),
            runtime: Handle::current(),
            registry: registry.clone(),
            commands: redis.clone(),
            health: self.app.health.clone(),
            pace: self.app.config.pace,
            behind: behind.clone(),
            metrics: self.app.metrics.clone(),
        };
        let (stop, ended) = dispatcher.start()?;
        tasks.spawn(async move {
            let _stops_with_the_tasks = stop;
            let _ = ended.await;
        });
        tasks.spawn(permissions::watch(redis.clone(), self.app.health.clone()));
        tasks.spawn(catchup::serve(registry.clone(), redis.clone(), requests, behind.clone()));
        let (swept, again) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let wanted = catchup::Wanted { behind, again: again.clone() };
        tasks.spawn(catchup::sweep(registry.clone(), redis.clone(), wanted, swept.clone()));
        if let Some(relay) = relay {
            // After the sweep: what the relay sends then arrives live, after the missed entries.
            let signs = Signs { swept, reconnected: redis.reconnected.clone() };
            tasks.spawn(relay.run(signs, registry.clone(), again));
        }
        Ok(())
    }

    /// Closes every socket; leaves the rest of the time until `deadline` for presence.
    async fn close_sockets(&self, deadline: Instant) {
        let App { config, registry, sessions, .. } = &*self.app;
        sessions.close();
        let closing = async {
            drain(registry, config.pace.drain_spread).await;
            sessions.wait().await;
        };
        let reserved = config.shutdown.deadline - config.shutdown.sockets_deadline;
        if timeout_at(deadline - reserved, closing).await.is_err() {
            tracing::warn!(left = sessions.len(), "some sockets did not close in time");
        }
    }

    async fn release_presence(&self, presence: PresenceTask, deadline: Instant) {
        presence.stop.cancel();
        let releasing = async {
            // The release is the last call: nothing must be written after it.
            let _ = presence.task.await;
            self.presence.release(&self.redis).await;
        };
        if timeout_at(deadline, releasing).await.is_err() {
            tracing::warn!("presence was not released in time; it expires by itself");
        }
    }
}

/// Closes all sockets spread over time, so that the clients do not all reconnect at once.
async fn drain(registry: &Registry, spread: Duration) {
    registry.set_draining();
    let start = Instant::now();
    let mut closed = 0;
    let shards = registry.drain(spread);
    let count = shards.size_hint().0.max(1);
    for (at, sockets) in shards.enumerate() {
        closed += sockets;
        // Few sockets need less than the full spread.
        let needed = Duration::from_secs_f64(closed as f64 / DRAIN_SOCKETS_PER_S as f64);
        let share = spread.mul_f64((at + 1) as f64 / count as f64);
        tokio::time::sleep_until(start + needed.min(share)).await;
    }
}
