//! Measurements in turns: A B C, C B A, A B C … so that other load on the machine affects all of
//! them alike.

mod goals;
mod held;
mod series;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

pub use goals::{verdict, verdict_below};
pub use held::{Held, watch};
pub use series::{COLUMNS, HELD, Series};

use crate::cli::Args;
use crate::load::{self, Load};
use series::Sample;
use support::cpu;
use support::stats::percentile;

/// Warm-up before counting: opens connections, makes instances, caches files.
const WARM_UP: Duration = Duration::from_millis(300);
/// Time for Node to compile what a load runs.
const COMPILING: Duration = Duration::from_secs(2);

/// A measured program with its load.
pub struct Subject {
    pub name: String,
    pub load: Load,
    pub pids: Pids,
}

/// The processes that work on a request.
#[derive(Clone, Copy)]
pub struct Pids {
    pub server: u32,
    pub redis: u32,
    pub database: Option<u32>,
}

/// The largest number is not a process.
const NO_PROCESS: u32 = u32::MAX;

/// Runs every subject for a while before it is measured: Node compiles what runs often, which
/// takes thousands of requests.
pub async fn warm_up(
    subjects: &[Subject],
    before: impl AsyncFn(usize) -> Result<()>,
) -> Result<()> {
    for (at, subject) in subjects.iter().enumerate() {
        before(at).await?;
        let running = load::start(subject.load.clone(), None)?;
        tokio::time::sleep(COMPILING).await;
        running.stop();
        tokio::task::block_in_place(|| running.finish())?;
    }
    Ok(())
}

/// Measures every subject once per round; `before` prepares a subject.
pub async fn in_turns(
    args: &Args,
    subjects: &[Subject],
    before: impl AsyncFn(usize) -> Result<()>,
) -> Result<Vec<Series>> {
    let mut series: Vec<Series> = subjects
        .iter()
        .map(|subject| Series { name: subject.name.clone(), samples: Vec::new() })
        .collect();
    for round in 0..args.rounds {
        let mut order: Vec<usize> = (0..subjects.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            before(at).await?;
            series[at].samples.push(once(&subjects[at], args.seconds).await?);
        }
    }
    Ok(series)
}

async fn once(subject: &Subject, duration: Duration) -> Result<Sample> {
    let running = load::start(subject.load.clone(), None)?;
    tokio::time::sleep(WARM_UP).await;
    let before = Times::now(&subject.pids, running.tid);
    running.measure();
    let begun = Instant::now();
    let held = watch(&subject.pids, duration).await;
    // Before the load ends: an ended thread has no times.
    let after = Times::now(&subject.pids, running.tid);
    let took = begun.elapsed();
    running.stop();
    let latencies = tokio::task::block_in_place(|| running.finish())?.latencies;
    ensure!(!latencies.is_empty(), "{}: no answer in time", subject.name);
    let count = latencies.len() as f64 * subject.load.items as f64;
    let us = |after: Duration, before: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / count
    };
    let ms = |percent| f64::from(percentile(&latencies, percent)) / 1000.0;
    Ok(Sample {
        requests_per_s: count / took.as_secs_f64(),
        p50_ms: ms(50.0),
        p99_ms: ms(99.0),
        worst_ms: ms(100.0),
        server_us: us(after.server, before.server),
        redis_us: us(after.redis, before.redis),
        database_us: after.database.zip(before.database).map(|(a, b)| us(a, b)),
        load_us: us(after.load, before.load),
        held,
    })
}

/// CPU times so far.
struct Times {
    server: Duration,
    redis: Duration,
    database: Option<Duration>,
    load: Duration,
}

impl Times {
    fn now(pids: &Pids, load_tid: u32) -> Self {
        let Pids { server, redis, database } = *pids;
        let [server, redis, other] =
            cpu::of_processes([server, redis, database.unwrap_or(NO_PROCESS)]);
        let load = cpu::of_thread(load_tid);
        Self { server, redis, database: database.map(|_| other), load }
    }
}
