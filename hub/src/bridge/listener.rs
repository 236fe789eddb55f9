//! Hears the channel of existing services, on a thread with a connection of its own. It also hears
//! `bw:events`, for its probes only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use native::backoff::Backoff;
use parking_lot::Mutex;
use shared::cluster::Server;
use shared::keys::{EVENTS_CHANNEL, NOTIFICATIONS_CHANNEL};

use super::forwarder::Forwarder;
use crate::delivery::probe::Probe;
use crate::delivery::receiver::{Line, Receiver};
use crate::delivery::servers::Servers;
use crate::redis::pubsub_connection::{Subscription, SubscriptionError};

/// The thread; it ends within a tick after this is dropped.
pub(super) struct Listener(Arc<State>);

struct State {
    stop: AtomicBool,
    has_subscribed: AtomicBool,
    /// Since when there is no subscription.
    away_since: Mutex<Option<Instant>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
    }
}

impl Listener {
    /// # Errors
    /// The system cannot start another thread.
    pub(super) fn start(
        servers: Servers,
        receiver: Receiver,
        forwarder: Arc<Forwarder>,
    ) -> std::io::Result<Self> {
        let state = Arc::new(State {
            stop: AtomicBool::new(false),
            has_subscribed: AtomicBool::new(false),
            away_since: Mutex::new(Some(Instant::now())),
        });
        let shared = state.clone();
        let run = move || listen(&shared, &servers, &receiver, &forwarder);
        thread::Builder::new().name("bridge".to_owned()).spawn(run)?;
        Ok(Self(state))
    }

    /// Whether it has subscribed (again) since the last call: it may have missed messages before.
    pub(super) fn take_subscribed(&self) -> bool {
        self.0.has_subscribed.swap(false, Ordering::SeqCst)
    }

    /// Whether it has had no subscription for so long.
    pub(super) fn is_away_for(&self, time: Duration) -> bool {
        self.0.away_since.lock().is_some_and(|since| since.elapsed() > time)
    }
}

fn listen(state: &State, servers: &Servers, receiver: &Receiver, forwarder: &Forwarder) {
    let mut backoff = Backoff::default();
    let mut probe = Probe::random();
    let channels = [NOTIFICATIONS_CHANNEL, EVENTS_CHANNEL];
    let mut attempts = fastrand::usize(..1_000);
    while !state.stop.load(Ordering::SeqCst) {
        attempts += 1;
        let opened = servers.any(attempts).and_then(|server| {
            let info = servers.info(&server)?;
            Ok((Subscription::open(&info, &channels, receiver.tick())?, server))
        });
        let outcome = match opened {
            Ok((subscription, server)) => {
                backoff.reset();
                *state.away_since.lock() = None;
                state.has_subscribed.store(true, Ordering::SeqCst);
                let is_deaf = AtomicBool::new(false);
                let line = Existing { servers, server, forwarder, is_deaf };
                receiver.listen(&line, subscription, &mut probe, &state.stop)
            }
            Err(error) => Err(error),
        };
        state.away_since.lock().get_or_insert_with(Instant::now);
        servers.doubt();
        if let Err(why) = outcome {
            report(&why);
        }
        thread::sleep(backoff.next_wait());
    }
}

fn report(why: &SubscriptionError) {
    tracing::warn!(%why, "the bridge's subscription is lost; retrying");
}

/// The channel of existing services.
struct Existing<'a> {
    servers: &'a Servers,
    server: Server,
    forwarder: &'a Forwarder,
    is_deaf: AtomicBool,
}

impl Line for Existing<'_> {
    fn is_deaf(&self) -> bool {
        self.is_deaf.load(Ordering::Relaxed)
    }

    fn set_deaf(&self, is_deaf: bool) {
        self.is_deaf.store(is_deaf, Ordering::Relaxed);
    }

    fn heard(&self, _: Instant) {}

    fn is_outdated(&self) -> bool {
        !self.servers.has(&self.server)
    }

    /// Returns whether the message is handled. Events are published on the users' channels as well.
    fn take(&self, payload: &Bytes, is_event: bool) -> bool {
        if !is_event {
            self.forwarder.take(payload);
        }
        true
    }
}
