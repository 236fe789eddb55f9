//! The connections to one origin: opened when needed, shared by all requests, replaced when dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::timeout;

use super::connect::{self, ConnectError};
use super::connection::Connection;
use super::dns::Filter;
use crate::limits::{CONNECT_DEADLINE, RECONNECT_MAX, RECONNECT_MIN, STREAMS_BEFORE_GROWTH};
use crate::origin::Origin;

#[derive(Default)]
struct Slot {
    open: Mutex<Option<Arc<Connection>>>,
    /// Held while connecting, so that one task does it.
    connecting: AsyncMutex<()>,
}

impl Slot {
    fn usable(&self) -> Option<Arc<Connection>> {
        self.open.lock().as_ref().filter(|connection| connection.is_usable()).cloned()
    }
}

#[derive(Default)]
struct Backoff {
    failures: u32,
    /// Connecting is tried again then; until then, this is why not.
    until: Option<(Instant, ConnectError)>,
}

pub(super) struct Host {
    origin: Origin,
    filter: Filter,
    slots: Vec<Slot>,
    next: AtomicUsize,
    backoff: Mutex<Backoff>,
    /// A request ended: there may be room.
    freed: Arc<Notify>,
    used: Mutex<Instant>,
}

/// A place on a connection for one request.
pub(super) struct Place {
    host: Arc<Host>,
    pub(super) connection: Arc<Connection>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.leave();
        self.host.freed.notify_one();
    }
}

impl Host {
    pub(super) fn new(origin: Origin, filter: Filter, connections: usize) -> Self {
        Self {
            origin,
            filter,
            slots: (0..connections.max(1)).map(|_| Slot::default()).collect(),
            next: AtomicUsize::new(0),
            backoff: Mutex::default(),
            freed: Arc::default(),
            used: Mutex::new(Instant::now()),
        }
    }

    pub(super) fn used(&self) -> Instant {
        *self.used.lock()
    }

    /// The time until connecting is tried again.
    pub(super) fn unreachable_for(&self) -> Duration {
        let until = self.backoff.lock().until;
        until.map_or(Duration::ZERO, |(until, _)| until.saturating_duration_since(Instant::now()))
    }

    pub(super) fn open_connections(&self) -> usize {
        self.slots.iter().filter(|slot| slot.usable().is_some()).count()
    }

    /// A place for a request, waiting for one if all streams are taken. The caller has a deadline.
    pub(super) async fn place(
        self: &Arc<Self>,
        tls: &Arc<ClientConfig>,
    ) -> Result<Place, ConnectError> {
        *self.used.lock() = Instant::now();
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let (best, empty) = self.look();
            if let Some(slot) = empty
                && best.as_ref().is_none_or(|best| best.in_flight() >= self.growth(best))
            {
                // Whoever comes while another task connects uses what there is, or waits for it.
                let turn = match (slot.connecting.try_lock(), &best) {
                    (Ok(turn), _) => Some(turn),
                    (Err(_), None) => Some(slot.connecting.lock().await),
                    (Err(_), Some(_)) => None,
                };
                if turn.is_some() && slot.usable().is_none() {
                    // In a box: the space of a handshake would be part of every push in flight.
                    match (Box::pin(self.open(tls)).await, &best) {
                        (Ok(connection), _) => {
                            *slot.open.lock() = Some(Arc::new(connection));
                            self.freed.notify_waiters();
                        }
                        (Err(error), None) => return Err(error),
                        // One connection is better than none.
                        (Err(_), Some(_)) => {}
                    }
                }
                if turn.is_some() {
                    let opened = slot.usable().or(best);
                    if let Some(place) = opened.and_then(|connection| self.enter(connection)) {
                        return Ok(place);
                    }
                    if slot.usable().is_some() || self.unreachable_for().is_zero() {
                        continue;
                    }
                }
            }
            let (best, _) = self.look();
            match best.map(|best| self.enter(best)) {
                Some(Some(place)) => return Ok(place),
                Some(None) => freed.await,
                None => tokio::task::yield_now().await,
            }
        }
    }

    fn enter(self: &Arc<Self>, connection: Arc<Connection>) -> Option<Place> {
        if !connection.enter() {
            return None;
        }
        // A server may raise its limit at any time, as Apple's does after the first answer: those who
        // finds room wakes the next one.
        if connection.in_flight() < connection.capacity() {
            self.freed.notify_one();
        }
        Some(Place { host: self.clone(), connection })
    }

    /// The requests on a connection at which another one is opened.
    fn growth(&self, connection: &Connection) -> usize {
        STREAMS_BEFORE_GROWTH.min(connection.capacity())
    }

    /// The usable connection with the fewest requests, and the first slot without one: connections
    /// are opened one after the other, so that a burst does not open them all.
    fn look(&self) -> (Option<Arc<Connection>>, Option<&Slot>) {
        // Equals take turns.
        let start = self.next.fetch_add(1, Relaxed) % self.slots.len();
        let (before, after) = self.slots.split_at(start);
        let usable = after.iter().chain(before).filter_map(Slot::usable);
        let best = usable.min_by_key(|connection| connection.in_flight());
        (best, self.slots.iter().find(|slot| slot.usable().is_none()))
    }

    async fn open(&self, tls: &Arc<ClientConfig>) -> Result<Connection, ConnectError> {
        let until = self.backoff.lock().until;
        if let Some((_, error)) = until.filter(|(until, _)| Instant::now() < *until) {
            return Err(error);
        }
        let opening = connect::open(&self.origin, self.filter, tls, &self.freed);
        let opened = match timeout(CONNECT_DEADLINE, opening).await {
            Ok(opened) => opened,
            Err(_) => Err(ConnectError::Late),
        };
        let mut backoff = self.backoff.lock();
        match &opened {
            Ok(_) => *backoff = Backoff::default(),
            Err(error) => {
                let doublings = backoff.failures.min(6);
                backoff.failures = backoff.failures.saturating_add(1);
                let wait = (RECONNECT_MIN * 2_u32.pow(doublings)).min(RECONNECT_MAX);
                let wait = wait.mul_f64(0.75 + fastrand::f64() / 2.0);
                backoff.until = Some((Instant::now() + wait, *error));
                if doublings == 0 {
                    tracing::warn!(origin = %self.origin, %error, "cannot reach a push service");
                }
            }
        }
        opened
    }
}
