//! Measurements in turns: A B C, C B A, A B C … so that other load on the machine affects all of
//! them alike.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cli::Args;
use crate::load::{self, Load};
use support::cpu;
use support::stats::{median, percentile};
use support::table::Cell;

/// Warm-up before counting: opens connections, makes instances, caches files.
const WARM_UP: Duration = Duration::from_millis(300);

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

/// One measurement. CPU times are microseconds per request.
#[derive(Clone, Copy, Debug)]
struct Sample {
    requests_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    server_us: f64,
    redis_us: f64,
    database_us: Option<f64>,
    load_us: f64,
}

impl Sample {
    /// CPU per request of the whole machine; it limits the throughput when all cores are busy.
    fn all_us(&self) -> f64 {
        self.server_us + self.redis_us + self.database_us.unwrap_or(0.0) + self.load_us
    }
}

/// A subject's measurements, one per round.
pub struct Series {
    pub name: String,
    samples: Vec<Sample>,
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
    tokio::time::sleep(duration).await;
    // Before the load ends: an ended thread has no times.
    let after = Times::now(&subject.pids, running.tid);
    let took = begun.elapsed();
    running.stop();
    let latencies = tokio::task::block_in_place(|| running.finish())?.latencies;
    ensure!(!latencies.is_empty(), "{}: no answer in time", subject.name);
    let count = latencies.len() as f64;
    let us = |after: Duration, before: Duration| {
        after.saturating_sub(before).as_secs_f64() * 1e6 / count
    };
    let ms = |percent| f64::from(percentile(&latencies, percent)) / 1000.0;
    Ok(Sample {
        requests_per_s: count / took.as_secs_f64(),
        p50_ms: ms(50.0),
        p99_ms: ms(99.0),
        server_us: us(after.server, before.server),
        redis_us: us(after.redis, before.redis),
        database_us: after.database.zip(before.database).map(|(a, b)| us(a, b)),
        load_us: us(after.load, before.load),
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
        // The largest number is not a process.
        let [server, redis, other] =
            cpu::of_processes([server, redis, database.unwrap_or(u32::MAX)]);
        let load = cpu::of_thread(load_tid);
        Self { server, redis, database: database.map(|_| other), load }
    }
}

/// Column names of [`Series::cells`].
pub const COLUMNS: &[&str] = &[
    "",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "server CPU µs",
    "Redis CPU µs",
    "database CPU µs",
    "load CPU µs",
    "compared with",
    "requests/s ×",
    "server CPU ×",
    "all CPU ×",
];

impl Series {
    /// One row: medians, and the ratios to another series.
    pub fn cells(&self, other: Option<&Series>) -> Vec<Cell> {
        let of = |read: fn(&Sample) -> f64| median(self.samples.iter().map(read));
        let database = self.samples.iter().filter_map(|sample| sample.database_us);
        let database: Vec<f64> = database.collect();
        let mut cells = vec![
            Cell::text(&self.name),
            Cell::Number(of(|sample| sample.requests_per_s), 0),
            Cell::Number(of(|sample| sample.p50_ms), 2),
            Cell::Number(of(|sample| sample.p99_ms), 2),
            Cell::Number(of(|sample| sample.server_us), 0),
            Cell::Number(of(|sample| sample.redis_us), 0),
            if database.is_empty() { Cell::Nothing } else { Cell::Number(median(database), 0) },
            Cell::Number(of(|sample| sample.load_us), 0),
        ];
        match other {
            None => cells.extend([Cell::Nothing, Cell::Nothing, Cell::Nothing, Cell::Nothing]),
            Some(other) => cells.extend([
                Cell::text(&other.name),
                Cell::Number(self.ratio(other, |sample| sample.requests_per_s), 2),
                Cell::Number(self.ratio(other, |sample| sample.server_us), 2),
                Cell::Number(self.ratio(other, Sample::all_us), 2),
            ]),
        }
        cells
    }

    /// Median of the rounds' ratios of requests per second.
    pub fn speed_beside(&self, other: &Series) -> f64 {
        self.ratio(other, |sample| sample.requests_per_s)
    }

    fn ratio(&self, other: &Series, read: impl Fn(&Sample) -> f64) -> f64 {
        median(
            self.samples.iter().zip(&other.samples).map(|(ours, theirs)| read(ours) / read(theirs)),
        )
    }
}

/// A goal and whether it was met.
pub fn verdict(what: &str, ratio: f64, goal: f64) -> String {
    let word = if ratio >= goal { "met" } else { "MISSED" };
    format!("{what}: {ratio:.2}, goal ≥ {goal}: {word}.")
}
