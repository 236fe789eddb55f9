//! What the machine itself does while slow requests are looked for: the longest write to the disk,
//! and the longest delay of a thread that only sleeps. They explain the slowest requests, or show
//! that the machine is not to blame.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// Length of one sleep; a delay is what it takes longer.
const SLEEP: Duration = Duration::from_millis(5);
/// Sleeps between two writes: few enough writes that they hardly matter beside the record's.
const SLEEPS_PER_WRITE: u32 = 20;
/// A page of a database.
const WRITTEN: [u8; 4096] = [b'x'; 4096];

/// Something slow, and when it began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Slow {
    pub at: Duration,
    pub took: Duration,
}

/// The longest of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stalls {
    pub delay: Slow,
    pub write: Slow,
}

/// A running observation.
pub struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Result<Stalls>>,
}

impl Watch {
    /// Writes to the disk of temporary files, where the records are, too. Times count from `begun`.
    pub fn start(begun: Instant) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        Self { is_over, thread: std::thread::spawn(move || watch(begun, &ends)) }
    }

    pub fn finish(self) -> Result<Stalls> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the observation panicked"))?
    }
}

fn watch(begun: Instant, is_over: &AtomicBool) -> Result<Stalls> {
    let dir = std::env::temp_dir().join(format!("bench-stalls-{}", std::process::id()));
    let mut file = File::create(&dir)?;
    // The name is not needed, and a crash leaves nothing behind.
    std::fs::remove_file(&dir)?;
    let mut stalls = Stalls::default();
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..SLEEPS_PER_WRITE {
            let slept = took(begun, || std::thread::sleep(SLEEP));
            stalls.delay.add(Slow { took: slept.took.saturating_sub(SLEEP), ..slept });
        }
        let mut result = Ok(());
        stalls
            .write
            .add(took(begun, || result = file.write_all(&WRITTEN).and_then(|()| file.sync_data())));
        result?;
    }
    Ok(stalls)
}

fn took(begun: Instant, what: impl FnOnce()) -> Slow {
    let start = Instant::now();
    what();
    Slow { at: start.duration_since(begun), took: start.elapsed() }
}

impl Slow {
    fn add(&mut self, other: Slow) {
        if other.took > self.took {
            *self = other;
        }
    }

    /// Whether both went on at some moment.
    pub fn overlaps(&self, other: &Slow) -> bool {
        self.at < other.at + other.took && other.at < self.at + self.took
    }

    /// `254 ms at 12.3 s`.
    pub fn shown(&self) -> String {
        format!("{:.0} ms at {:.1} s", self.took.as_secs_f64() * 1e3, self.at.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observes_writes_and_delays() {
        let begun = Instant::now();
        let watch = Watch::start(begun);
        std::thread::sleep(SLEEP * SLEEPS_PER_WRITE * 2);
        let stalls = watch.finish().unwrap();
        assert!(stalls.delay.took > Duration::ZERO && stalls.write.took > Duration::ZERO);
        assert!(stalls.write.at < begun.elapsed());
    }

    #[test]
    fn overlapping_is_mutual() {
        let slow = |at, took| Slow { at: Duration::from_secs(at), took: Duration::from_secs(took) };
        for (a, b, expected) in [
            (slow(1, 3), slow(2, 1), true),
            (slow(1, 3), slow(3, 5), true),
            (slow(1, 1), slow(2, 1), false),
        ] {
            assert_eq!((a.overlaps(&b), b.overlaps(&a)), (expected, expected));
        }
    }
}
