//! The host as a cache sees it: clock, sleep, randomness, work after the response.

use std::cell::Cell;
use std::time::Duration;

use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random::get_random_u64;
use spin_sdk::wasip3::spawn;

use crate::cache::{Host, Work};

/// Spin.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHost;

thread_local! {
    /// State of a generator: seeded once per instance, since every call to the host costs.
    static STATE: Cell<u64> = Cell::new(get_random_u64());
}

impl Host for SpinHost {
    fn now_ms(&self) -> i64 {
        i64::try_from(monotonic_clock::now() / 1_000_000).unwrap_or(i64::MAX)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        spin_sdk::time::sleep(duration)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): no two outputs of an instance are the same, and two
    /// instances meet as seldom as two random seeds do. Nothing here must be hard to guess.
    fn random(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = STATE.get().wrapping_add(GAMMA);
        STATE.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Runs on after the response has been sent, in the same instance.
    fn spawn(&self, work: Work) {
        spawn(work);
    }
}
