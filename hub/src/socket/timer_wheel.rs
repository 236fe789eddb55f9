//! One timer for all connections: a wheel of ticks (Varghese and Lauck, 1987), each with the
//! connections due then. A timer per connection would cost memory and a lock each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::socket::connection::Connection;

/// Ticks per turn. Connections due later than a turn are checked once in between.
const TICKS: u64 = 128;
/// Ticks per ping interval: pings are late by less than a hundredth of it.
const TICKS_PER_PING: u32 = 100;

/// The wheel; see the module.
#[derive(Debug)]
pub(crate) struct TimerWheel {
    start: Instant,
    tick: Duration,
    /// The last tick that has begun.
    now: AtomicU64,
    /// Weak, so that an ended connection's memory and descriptor are released at once.
    slots: Box<[Mutex<Vec<Weak<Connection>>>]>,
}

impl TimerWheel {
    pub(crate) fn new(ping_interval: Duration) -> Self {
        let tick = (ping_interval / TICKS_PER_PING).max(Duration::from_millis(1));
        let slots = (0..TICKS).map(|_| Mutex::default()).collect();
        Self { start: Instant::now(), tick, now: AtomicU64::new(0), slots }
    }

    /// Schedules the connection's next check; only the last call for a connection counts.
    pub(crate) fn add(&self, connection: &Arc<Connection>, due: Instant) {
        let wanted = self.tick_of(due);
        loop {
            let now = self.now.load(Ordering::SeqCst);
            let tick = wanted.clamp(now + 1, now + TICKS - 1);
            let mut slot = self.slot(tick).lock();
            // The tick may have begun in the meantime; its slot would then wait for a whole turn.
            if self.now.load(Ordering::SeqCst) >= tick {
                continue;
            }
            connection.due_tick.store(tick, Ordering::Relaxed);
            slot.push(Arc::downgrade(connection));
            return;
        }
    }

    /// Checks connections when they are due; ends only by being dropped.
    pub(crate) async fn run(&self) {
        let mut ticks = interval_at(self.start + self.tick, self.tick);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let now = ticks.tick().await;
            let upto = self.ticks_until(now);
            while self.now.load(Ordering::SeqCst) < upto {
                let tick = self.now.fetch_add(1, Ordering::SeqCst) + 1;
                let due = std::mem::take(&mut *self.slot(tick).lock());
                for connection in due.iter().filter_map(Weak::upgrade) {
                    if connection.due_tick() == tick
                        && let Some(next) = connection.beat(now)
                    {
                        self.add(&connection, next);
                    }
                }
            }
        }
    }

    /// The first tick at or after `at`.
    fn tick_of(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(after.div_ceil(self.tick.as_nanos())).unwrap_or(u64::MAX)
    }

    /// The number of ticks begun by `at`.
    fn ticks_until(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.start).as_nanos();
        u64::try_from(after / self.tick.as_nanos()).unwrap_or(u64::MAX)
    }

    fn slot(&self, tick: u64) -> &Mutex<Vec<Weak<Connection>>> {
        &self.slots[(tick % TICKS) as usize]
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::protocol::Protocol;
    use crate::socket::keepalive::Keepalive;

    const PING: Duration = Duration::from_millis(400);

    async fn connection(expires_at: Instant) -> (Arc<Connection>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (peer, accepted) =
            tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        let keepalive = Keepalive::new(Instant::now(), PING, expires_at, true);
        let connection = Connection::new(
            accepted.unwrap().0,
            0,
            Protocol::Raw,
            keepalive,
            Arc::default(),
            Arc::default(),
        );
        (connection, peer.unwrap())
    }

    #[tokio::test]
    async fn connections_are_checked_in_time_and_the_last_call_counts() {
        let wheel = TimerWheel::new(PING);
        let far = Instant::now() + Duration::from_secs(3600);
        let soon = Instant::now() + Duration::from_millis(150);
        let (expires, _expires) = connection(soon).await;
        let (renewed, _renewed) = connection(soon).await;
        let (shortened, _shortened) = connection(far).await;
        for connection in [&expires, &renewed, &shortened] {
            wheel.add(connection, connection.due());
        }
        renewed.renew(far);
        wheel.add(&shortened, shortened.renew(soon));
        let (gone, _gone) = connection(soon).await;
        wheel.add(&gone, gone.due());
        drop(gone);
        let both_ended = async {
            while expires.end().is_none() || shortened.end().is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = wheel.run() => {}
            () = both_ended => {}
            () = tokio::time::sleep(Duration::from_secs(10)) => panic!("not in time"),
        }
        assert!(Instant::now() >= soon);
        let expired = Some(shared::CloseCode::TokenExpired.into());
        assert_eq!((expires.end(), shortened.end(), renewed.end()), (expired, expired, None));
    }
}
