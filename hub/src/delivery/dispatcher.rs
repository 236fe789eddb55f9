//! The subscription to the channels of all users (`live = all`): one dedicated connection. In a
//! cluster it leads to any master, because all of them hear every publication.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use native::backoff::Backoff;
use native::limits::REDIS_BACKOFF_MAX;
use shared::cluster::Server;
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};
use tokio::sync::oneshot;

use crate::delivery::probe::Probe;
use crate::delivery::receiver::{Line, Receiver};
use crate::delivery::servers::Servers;
use crate::metrics::health::Health;
use crate::redis::pubsub_connection::Subscription;

pub(crate) struct Dispatcher {
    pub(crate) servers: Servers,
    pub(crate) receiver: Receiver,
    pub(crate) health: Arc<Health>,
}

/// Ends the dispatcher within a tick when dropped.
pub(crate) struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The connection to one server.
struct Common<'a> {
    servers: &'a Servers,
    health: &'a Health,
    server: Server,
}

impl Line for Common<'_> {
    fn is_deaf(&self) -> bool {
        self.health.is_deaf()
    }

    fn set_deaf(&self, is_deaf: bool) {
        self.health.set_deaf(is_deaf);
    }

    fn heard(&self, now: Instant) {
        self.health.redis_answered_at(now);
    }

    fn is_outdated(&self) -> bool {
        !self.servers.has(&self.server)
    }
}

impl Dispatcher {
    /// Starts the thread. The receiver resolves when the thread exits, for any reason.
    ///
    /// # Errors
    /// The system cannot start another thread.
    pub(crate) fn start(self) -> std::io::Result<(Stop, oneshot::Receiver<()>)> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (running, ended) = oneshot::channel();
        thread::Builder::new().name("subscriber".to_owned()).spawn(move || {
            let _running = running; // dropped by a panic as well
            self.run(&stopped);
        })?;
        Ok((Stop(stop), ended))
    }

    /// Subscribes, and resubscribes after each loss.
    fn run(self, stop: &AtomicBool) {
        let Self { servers, receiver, health } = &self;
        let mut backoff = Backoff::default();
        let mut probe = Probe::random();
        let channels = [NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL];
        let mut attempts = fastrand::usize(..);
        while !stop.load(Ordering::SeqCst) {
            attempts = attempts.wrapping_add(1);
            let opened = servers.any(attempts).and_then(|server| {
                let info = servers.info(&server)?;
                Ok((Subscription::open(&info, &channels, receiver.tick())?, server))
            });
            match opened {
                Ok((subscription, server)) => {
                    tracing::info!("subscribed to notifications");
                    let since = Instant::now();
                    // Before the first message is handled: from here on, the sequencer tells missed
                    // messages from live ones.
                    receiver.registry.unsync();
                    health.set_subscribed(true);
                    receiver.commands.retry_now();
                    receiver.behind.notify_one();
                    let line = Common { servers, health, server };
                    let outcome = receiver.listen(&line, subscription, &mut probe, stop);
                    health.set_subscribed(false);
                    receiver.registry.subscription_lost();
                    let Err(why) = outcome else { return };
                    health.set_unsubscribed(why.to_string());
                    receiver.metrics.subscription_lost();
                    servers.doubt();
                    tracing::warn!(%why, "subscription lost");
                    // A subscription that breaks immediately must not be retried immediately.
                    if since.elapsed() > REDIS_BACKOFF_MAX {
                        backoff.reset();
                    }
                }
                Err(error) => {
                    servers.doubt();
                    if health.set_unsubscribed(error.to_string()) {
                        tracing::warn!(%error, "cannot subscribe; retrying");
                    }
                }
            }
            thread::sleep(backoff.next_wait());
        }
    }
}
