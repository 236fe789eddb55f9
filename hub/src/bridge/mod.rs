//! Forwards what existing services publish (`live = bridge`): they know nothing of users' own
//! channels, and publish on `notifications`. One hub of the fleet hears that channel ([`listener`])
//! and publishes each message again, byte for byte, on its user's own channel ([`forwarder`]).
//!
//! The hub has a lease for it, on Redis' clock. Every message is published by a script that refuses
//! once the lease has ended: so a hub that was suspended cannot repeat what its successor has
//! forwarded. If the hub dies, what services only publish is lost until another one has the lease. What
//! they also append to feeds is not: every hub compares its users with their feeds when the token of
//! the lease changes, which it does once the new holder listens. It remembers for some periods what its
//! users were sent, since something newer may have reached them before.

mod forwarder;
mod lease;
mod listener;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::bridge::forwarder::Forwarder;
use crate::bridge::lease::{Lease, Token};
use crate::bridge::listener::Listener;
use crate::delivery::receiver::Receiver;
use crate::delivery::servers::Servers;
use crate::limits::{BRIDGE_MARGIN, BRIDGE_PERIOD};

/// A hub that forwards if it has the lease.
pub(crate) struct Bridge {
    pub(crate) servers: Servers,
    pub(crate) receiver: Receiver,
    pub(crate) lease: Duration,
    /// Notified when every user is to be compared with their feed.
    pub(crate) again: Arc<Notify>,
}

/// The work of a hub that has the lease. Nothing is forwarded after it is dropped.
struct Holding {
    since: Instant,
    /// When the lease ends at the latest, on this machine's clock.
    until: Instant,
    forwarder: Arc<Forwarder>,
    listener: Option<Listener>,
}

/// What this hub has seen of the bridge.
struct Seen {
    /// The token stored last.
    token: Option<Token>,
    /// When the same holder was last noted to listen still.
    well_at: Instant,
}

impl Bridge {
    /// Competes for the lease until `stop`, then hands it back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut token = Token::random();
        let mut seen = Seen { token: None, well_at: Instant::now() };
        self.receiver.registry.begin_bridge();
        let mut holding: Option<Holding> = None;
        let mut pause_until = Instant::now();
        let (mut is_news, mut attempted) = (false, None);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(self.turn(holding.as_ref())) => {}
            }
            if Instant::now() < pause_until {
                continue;
            }
            is_news |= holding.as_ref().is_some_and(Holding::has_subscribed);
            let next = if is_news { token.next() } else { token.clone() };
            let asked_at = Instant::now();
            let renewed = lease::renew(&self.receiver.commands, &token, &next, self.lease).await;
            match renewed {
                Ok(Lease::Mine { until_ms, is_continued }) => {
                    (token, is_news) = (next, false);
                    if !is_continued {
                        // Whatever was received before may have been forwarded by another hub.
                        holding = None;
                    }
                    let until = asked_at + self.lease;
                    let holding = holding.get_or_insert_with(|| self.hold(asked_at, until));
                    holding.until = until;
                    holding.forwarder.renew(until_ms);
                    self.observe(&mut seen, &token);
                }
                // A call whose answer was lost has stored it.
                Ok(Lease::Taken(other)) if other == next || attempted.as_ref() == Some(&other) => {
                    token = other;
                }
                Ok(Lease::Taken(other)) => {
                    holding = None;
                    self.observe(&mut seen, &other);
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot renew the lease of the bridge");
                    attempted = Some(next);
                    if holding.as_ref().is_some_and(|it| it.until <= Instant::now()) {
                        holding = None;
                    }
                }
            }
            if holding.as_ref().is_some_and(|it| it.is_useless(self.lease)) {
                tracing::warn!(
                    "the bridge cannot subscribe to notifications; leaving it to others"
                );
                holding = None;
                lease::release(&self.receiver.commands, &token).await;
                pause_until = Instant::now() + self.lease * 2;
            }
            self.listen(&mut holding);
            self.receiver.metrics.set_bridge(holding.is_some());
        }
        if holding.take().is_some() {
            self.receiver.metrics.set_bridge(false);
            lease::release(&self.receiver.commands, &token).await;
        }
    }

    /// Time until the lease is asked for again.
    fn turn(&self, holding: Option<&Holding>) -> Duration {
        let is_starting = holding.is_some_and(|holding| holding.listener.is_none());
        if is_starting { BRIDGE_MARGIN.min(self.lease / 3) } else { self.lease / 3 }
    }

    fn hold(&self, since: Instant, until: Instant) -> Holding {
        tracing::info!("this hub forwards what existing services publish");
        let Receiver { commands, metrics, runtime, .. } = &self.receiver;
        let forwarder = Forwarder::start(commands.clone(), metrics.clone(), runtime);
        Holding { since, until, forwarder, listener: None }
    }

    /// Starts to listen a while after the lease was taken: the former holder's last message may have
    /// been checked on a clock that is behind.
    fn listen(&self, holding: &mut Option<Holding>) {
        if let Some(holding) = holding
            && holding.listener.is_none()
            && holding.since.elapsed() >= BRIDGE_MARGIN
        {
            let (servers, receiver) = (self.servers.clone(), self.receiver.clone());
            match Listener::start(servers, receiver, holding.forwarder.clone()) {
                Ok(listener) => holding.listener = Some(listener),
                Err(error) => tracing::warn!(%error, "cannot start the bridge's thread"),
            }
        }
    }

    /// Compares this hub's users with their feeds after the bridge may have missed messages.
    fn observe(&self, seen: &mut Seen, token: &Token) {
        let registry = &self.receiver.registry;
        if seen.token.as_ref() != Some(token) {
            seen.token = Some(token.clone());
            if token.is_listening() {
                registry.unsync();
                self.again.notify_one();
            }
        } else if token.is_listening() && seen.well_at.elapsed() >= BRIDGE_PERIOD {
            seen.well_at = Instant::now();
            registry.next_bridge_period();
        }
    }
}

impl Drop for Holding {
    /// The listener's thread ends later.
    fn drop(&mut self) {
        self.forwarder.renew(0);
    }
}

impl Holding {
    /// Whether it has subscribed (again) since the last time it was asked.
    fn has_subscribed(&self) -> bool {
        self.listener.as_ref().is_some_and(Listener::take_subscribed)
    }

    /// Whether it has been unable to subscribe for the length of a lease.
    fn is_useless(&self, lease: Duration) -> bool {
        self.listener.as_ref().is_some_and(|listener| listener.is_away_for(lease))
    }
}
