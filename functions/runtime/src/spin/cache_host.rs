//! Spin as the host of a cache: clock, sleep, randomness, background work.

use std::cell::Cell;
use std::time::Duration;

use spin_sdk::wasip3::clocks::monotonic_clock;
use spin_sdk::wasip3::random::random::get_random_u64;
use spin_sdk::wasip3::spawn;

use crate::cache::{Host, Work};

/// The [`Host`] of components.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpinHost;

thread_local! {
    /// State of the generator, seeded once per instance, since every call to the host costs.
    static STATE: Cell<u64> = Cell::new(get_random_u64());
}

impl Host for SpinHost {
    fn now_ms(&self) -> i64 {
        i64::try_from(monotonic_clock::now() / 1_000_000).unwrap_or(i64::MAX)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + 'static {
        spin_sdk::time::sleep(duration)
    }

    /// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA
    /// 2014): the outputs of one instance never repeat, and those of two instances overlap as
    /// rarely as random seeds do. The outputs need not be unpredictable.
    fn random(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = STATE.get().wrapping_add(GAMMA);
        STATE.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Runs `work` in the same instance, also after the response has been sent.
    fn spawn(&self, work: Work) {
        spawn(work);
    }
}
