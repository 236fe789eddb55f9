//! How much a client may say: a token bucket.

use tokio::time::Instant;

use crate::bucket::{Bucket, Rate};
use crate::limits::{CLIENT_FRAMES_BURST, CLIENT_FRAMES_PER_S};

const FRAMES: Rate = Rate { per_s: CLIENT_FRAMES_PER_S, burst: CLIENT_FRAMES_BURST };

/// Full at first; refills with time.
#[derive(Debug)]
pub struct Allowance(Bucket);

impl Allowance {
    pub fn new(now: Instant) -> Self {
        Self(Bucket::new(now))
    }

    /// Takes one; false when nothing is left.
    pub fn take(&mut self, now: Instant) -> bool {
        self.0.take(FRAMES, now)
    }
}
