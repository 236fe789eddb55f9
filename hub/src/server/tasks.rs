//! The tasks of a running hub.

use std::io;
use std::sync::Arc;

use axum::Router;
use native::ops::Endpoint as _;
use shared::live::Live;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::Hub;
use super::shutdown::Releasing;
use crate::bridge::Bridge;
use crate::console::Console;
use crate::delivery::catchup;
use crate::delivery::dispatcher::Dispatcher;
use crate::delivery::own::Own;
use crate::delivery::receiver::Receiver;
use crate::limits::KEY_FILES_INTERVAL;
use crate::ops::endpoint::Endpoint;
use crate::redis::permissions;
use crate::relay::{Listener, Relay, Signs};
use crate::users::FeedRequest;

impl Hub {
    /// Spawns the console. `/metrics` is beside it if it has the same address.
    pub(super) fn spawn_console(
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

    pub(super) fn spawn_timers(&self, tasks: &mut JoinSet<()>) {
        let (wheel, refusals) = (self.app.wheel.clone(), self.app.refusals.clone());
        tasks.spawn(async move { wheel.run().await });
        tasks.spawn(async move { refusals.run().await });
        let app = self.app.clone();
        tasks.spawn(async move {
            app.config.keys.keep(|problem| app.health.set_unprovided(problem)).await;
        });
        let config = self.app.config.clone();
        tasks.spawn(async move { config.key_files.watch(&config.keys, KEY_FILES_INTERVAL).await });
    }

    pub(super) fn spawn_presence(&self, tasks: &mut JoinSet<()>) -> Releasing {
        let (presence, redis) = (self.presence.clone(), self.redis.clone());
        let registry = self.app.registry.clone();
        Releasing::spawn(tasks, |stop| async move {
            presence.run(&redis, &*registry, stop).await;
        })
    }

    /// Spawns the tasks that read from Redis, the relay's, and the bridge's if this hub may be it.
    pub(super) fn spawn_readers(
        &self,
        tasks: &mut JoinSet<()>,
        requests: mpsc::UnboundedReceiver<FeedRequest>,
        relay: Option<Relay>,
    ) -> io::Result<Option<Releasing>> {
        let (registry, redis) = (&self.app.registry, &self.redis);
        let behind = Arc::new(Notify::new());
        let (swept, again) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let receiver = Receiver {
            runtime: Handle::current(),
            registry: registry.clone(),
            commands: redis.clone(),
            pace: self.app.config.pace,
            behind: behind.clone(),
            metrics: self.app.metrics.clone(),
        };
        let bridge = self.spawn_bridge(tasks, receiver.clone(), again.clone());
        let (servers, health) = (self.servers.clone(), self.app.health.clone());
        if let Some(channels) = registry.channels() {
            let own = Own::new(servers, receiver, channels.clone(), health, again.clone());
            tasks.spawn(own.run());
        } else {
            let (stop, ended) = Dispatcher { servers, receiver, health }.start()?;
            tasks.spawn(async move {
                let _stops_with_the_tasks = stop;
                let _ = ended.await;
            });
        }
        let commands = redis.clone();
        tasks.spawn(async move { commands.run().await });
        let (live, health) = (self.app.config.live, self.app.health.clone());
        tasks.spawn(permissions::watch(redis.clone(), live, health));
        tasks.spawn(catchup::serve(registry.clone(), redis.clone(), requests, behind.clone()));
        let wanted = catchup::Wanted { behind, again: again.clone() };
        tasks.spawn(catchup::sweep(registry.clone(), redis.clone(), wanted, swept.clone()));
        if let Some(relay) = relay {
            // After the sweep: what the relay sends then arrives live, after the missed entries.
            let signs = Signs { swept, reconnected: redis.reconnected.clone() };
            let listener = Listener { live, health: self.app.health.clone() };
            tasks.spawn(relay.run(signs, listener, registry.clone(), again));
        }
        Ok(bridge)
    }

    fn spawn_bridge(
        &self,
        tasks: &mut JoinSet<()>,
        receiver: Receiver,
        again: Arc<Notify>,
    ) -> Option<Releasing> {
        let config = &self.app.config;
        let lease = config.pace.bridge_lease;
        let bridge = Bridge { servers: self.servers.clone(), receiver, lease, again };
        let is_wanted = config.live == Live::Bridge;
        is_wanted.then(|| Releasing::spawn(tasks, |stop| bridge.run(stop)))
    }
}
