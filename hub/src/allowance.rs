//! How much a client may say: a token bucket.

use tokio::time::Instant;

use crate::limits::{CLIENT_FRAMES_BURST, CLIENT_FRAMES_PER_S};

/// Full at first; refills with time.
#[derive(Debug)]
pub struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Self { left: f64::from(CLIENT_FRAMES_BURST), at: now }
    }

    /// Takes one; false when nothing is left.
    pub fn take(&mut self, now: Instant) -> bool {
        let gained = (now - self.at).as_secs_f64() * f64::from(CLIENT_FRAMES_PER_S);
        self.left = (self.left + gained).min(f64::from(CLIENT_FRAMES_BURST));
        self.at = now;
        let is_left = self.left >= 1.0;
        if is_left {
            self.left -= 1.0;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn allows_a_burst_and_then_a_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let burst = (0..1000).take_while(|_| allowance.take(start)).count();
        assert_eq!(burst, CLIENT_FRAMES_BURST as usize);
        let later = start + Duration::from_secs(1);
        let more = (0..1000).take_while(|_| allowance.take(later)).count();
        assert_eq!(more, CLIENT_FRAMES_PER_S as usize);
    }
}
