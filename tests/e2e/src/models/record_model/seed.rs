//! Randomness that can be repeated, and names that are never given twice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestRng};

/// The seed of a run that nobody gave one: every run does the same, so that a failure is news.
const USUAL: u64 = 20_261_122;

/// The seed of this run: `BELLWIRE_MODEL_SEED`, a number or `random` to search further.
pub fn seed() -> u64 {
    match std::env::var("BELLWIRE_MODEL_SEED").as_deref() {
        Ok("random") => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            now.as_secs() ^ u64::from(now.subsec_nanos())
        }
        Ok(text) => text.parse().expect("BELLWIRE_MODEL_SEED is a number or `random`"),
        Err(_) => USUAL,
    }
}

/// How many cases to run where the test would run `usual`.
pub fn cases(usual: u32) -> u32 {
    let wanted = std::env::var("BELLWIRE_MODEL_CASES").ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(usual)
}

pub fn config(usual: u32, seed: u64) -> Config {
    Config {
        cases: cases(usual),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        max_shrink_iters: 400,
        ..Config::default()
    }
}

pub fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// An epoch.
pub fn unique() -> String {
    format!("epoch-{}", next())
}

/// The text of a UUIDv7.
pub fn uuid_v7(now_ms: i64) -> String {
    let ms = format!("{now_ms:012x}");
    format!("{}-{}-7000-8000-{:012x}", &ms[..8], &ms[8..], next())
}
