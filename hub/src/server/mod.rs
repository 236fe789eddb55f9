//! Runs the hub: starts its tasks, accepts connections, and shuts down in order.

mod shutdown;
mod tasks;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use native::ops::Endpoint as _;
use native::redis::Commands;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::first_request::Acceptor;
use crate::accept::listener::accept;
use crate::accept::router::router;
use crate::admission::Admission;
use crate::admission::refusal_log::RefusalLog;
use crate::channels::Channels;
use crate::config::Config;
use crate::delivery::servers::Servers;
use crate::demo;
use crate::metrics::Metrics;
use crate::metrics::health::Health;
use crate::ops::endpoint::Endpoint;
use crate::presence::Presence;
use crate::redis::commands::commands;
use crate::relay::Relay;
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
    let bridge = hub.spawn_readers(&mut tasks, requests, relay)?;
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
    let bridge = hub.end_bridge(bridge, deadline);
    tokio::join!(hub.release_presence(presence, deadline), hub.leave_channels(deadline), bridge);
    hub.app.refusals.sum_up();
    tracing::info!("bye");
    outcome
}

/// The parts that the tasks share.
struct Hub {
    app: Arc<App>,
    redis: Arc<Commands>,
    servers: Servers,
    presence: Arc<Presence>,
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
        let servers = Servers(config.redis.topology());
        let redis = commands(servers.0.clone(), health.clone(), metrics.clone());
        let presence = Arc::new(Presence::new(config.pace.presence, metrics.clone()));
        let has_channels = config.live.uses_own_channels();
        let channels = has_channels
            .then(|| Channels::new(&servers.0.current(), servers.0.is_one(), config.pace));
        let (registry, requests) = Registry::new(presence.clone(), channels, metrics.clone());
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
        (Self { app, redis, servers, presence }, requests)
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
}
