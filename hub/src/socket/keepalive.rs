//! Decides when to check a connection: to ping it, to detect that it is dead, to close it when its
//! token expires. No I/O; the [`crate::socket::timer_wheel`] keeps the time for all connections.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits::PINGS_UNANSWERED_MAX;

/// One connection's pings and expiry.
#[derive(Debug)]
pub struct Keepalive {
    ping_at: Instant,
    ping_interval: Duration,
    /// End of the token's validity, leeway included.
    pub(crate) expires_at: Instant,
    /// Payload of the last ping: only a pong that repeats it counts.
    payload: u64,
    unanswered: u32,
    /// Whether the peer answers pings: a WebSocket has to, the reader of an event stream cannot.
    answers: bool,
}

/// The action at a due time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Expired,
    /// Too many pings are unanswered.
    Dead,
    Ping {
        payload: u64,
        next: Instant,
    },
    Wait {
        next: Instant,
    },
}

impl Keepalive {
    /// The first ping is at a random moment, so that connections opened together do not ping
    /// together.
    pub fn new(now: Instant, ping_interval: Duration, expires_at: Instant, answers: bool) -> Self {
        let ping_at = now + ping_interval.mul_f64(fastrand::f64());
        Self { ping_at, ping_interval, expires_at, payload: 0, unanswered: 0, answers }
    }

    pub(crate) fn due(&self) -> Instant {
        self.ping_at.min(self.expires_at)
    }

    pub(crate) fn beat(&mut self, now: Instant) -> Beat {
        if self.expires_at <= now {
            return Beat::Expired;
        }
        if now < self.ping_at {
            return Beat::Wait { next: self.due() };
        }
        if self.unanswered >= PINGS_UNANSWERED_MAX {
            return Beat::Dead;
        }
        self.unanswered += u32::from(self.answers);
        // Random, so that a peer cannot answer pings that it has not read.
        self.payload = fastrand::u64(..);
        self.ping_at = now + self.ping_interval;
        Beat::Ping { payload: self.payload, next: self.due() }
    }

    /// Whether this pong answers the last ping.
    pub(crate) fn pong(&mut self, payload: &[u8]) -> bool {
        let is_ours = self.unanswered > 0 && payload == self.payload.to_be_bytes();
        if is_ours {
            self.unanswered = 0;
        }
        is_ours
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(25);
    const HOUR: Duration = Duration::from_secs(3600);

    fn ping(keepalive: &mut Keepalive, now: Instant) -> [u8; 8] {
        match keepalive.beat(now) {
            Beat::Ping { payload, next } => {
                assert_eq!(next, now + INTERVAL);
                payload.to_be_bytes()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_a_peer_that_answers_stays_alive() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, INTERVAL, start + HOUR, true);
        assert!(keepalive.due() <= start + INTERVAL);
        let mut now = start + INTERVAL;
        for _ in 0..10 {
            let payload = ping(&mut keepalive, now);
            assert!(!keepalive.pong(b"somebody"));
            assert!(keepalive.pong(&payload));
            // Only once: a repeated answer is just another frame.
            assert!(!keepalive.pong(&payload));
            now += INTERVAL;
        }
        for _ in 0..PINGS_UNANSWERED_MAX {
            ping(&mut keepalive, now);
            now += INTERVAL;
        }
        assert_eq!(keepalive.beat(now), Beat::Dead);
    }

    #[test]
    fn a_reader_of_events_is_not_asked_for_answers() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, INTERVAL, start + HOUR, false);
        let mut now = start + INTERVAL;
        for _ in 0..10 {
            ping(&mut keepalive, now);
            now += INTERVAL;
        }
    }

    #[test]
    fn it_ends_with_its_token_and_a_new_one_counts() {
        let start = Instant::now();
        let mut keepalive = Keepalive::new(start, HOUR * 2, start + HOUR, true);
        keepalive.ping_at = start + HOUR * 2;
        assert_eq!(keepalive.due(), start + HOUR);
        let early = keepalive.beat(start + INTERVAL);
        assert_eq!(early, Beat::Wait { next: start + HOUR });
        keepalive.expires_at = start + HOUR * 3;
        assert_eq!(keepalive.beat(start + HOUR), Beat::Wait { next: start + HOUR * 2 });
        keepalive.expires_at = start + INTERVAL;
        assert_eq!(keepalive.beat(start + INTERVAL), Beat::Expired);
    }
}
