//! Measurements in turns: A B C, C B A, A B C … so that other load on the machine affects all of
//! them alike.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cli::Args;
use crate::load::{self, Load};
use support::chart::Bar;
use support::cpu;
use support::held::Holder;
use support::stats::{median, percentile};
use support::table::Cell;

/// Warm-up before counting: opens connections, makes instances, caches files.
const WARM_UP: Duration = Duration::from_millis(300);
/// Time for Node to compile what a load runs.
const COMPILING: Duration = Duration::from_secs(2);
/// Pause between two looks at what the server holds: each takes some milliseconds.
const LOOK: Duration = Duration::from_millis(500);

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
    worst_ms: f64,
    server_us: f64,
    redis_us: f64,
    database_us: Option<f64>,
    load_us: f64,
    held: Held,
}

impl Sample {
    /// CPU per request of the whole machine; it limits the throughput when all cores are busy.
    fn all_us(&self) -> f64 {
        self.server_us + self.redis_us + self.database_us.unwrap_or(0.0) + self.load_us
    }
}

/// The most that the server held during a measurement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Held {
    /// `None` where it may not be read.
    pub memory_mib: Option<f64>,
    pub redis_connections: usize,
    pub database_connections: Option<usize>,
}

impl Held {
    /// Looks once.
    pub fn look(&mut self, server: &Holder, pids: &Pids) {
        let [redis, database] =
            server.connections_to([pids.redis, pids.database.unwrap_or(NO_PROCESS)]);
        let memory_mib = server.memory_bytes().map(|bytes| bytes as f64 / 1024.0 / 1024.0);
        let database_connections = pids.database.map(|_| database);
        self.add(&Held { memory_mib, redis_connections: redis, database_connections });
    }

    fn add(&mut self, other: &Held) {
        let memory_mib = self.memory_mib.into_iter().chain(other.memory_mib);
        self.memory_mib = memory_mib.reduce(f64::max);
        self.redis_connections = self.redis_connections.max(other.redis_connections);
        self.database_connections = self.database_connections.max(other.database_connections);
    }

    /// Its cells, in the order of the columns.
    pub fn cells(&self) -> [Cell; 3] {
        let count = |count: usize| Cell::Number(count as f64, 0);
        [
            self.memory_mib.map_or(Cell::Nothing, |mib| Cell::Number(mib, 0)),
            count(self.redis_connections),
            self.database_connections.map_or(Cell::Nothing, count),
        ]
    }
}

/// The largest number is not a process.
const NO_PROCESS: u32 = u32::MAX;

/// A subject's measurements, one per round.
pub struct Series {
    pub name: String,
    samples: Vec<Sample>,
}

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

/// Waits for the duration, and looks at what the server holds meanwhile.
pub async fn watch(pids: &Pids, duration: Duration) -> Held {
    let begun = Instant::now();
    let (server, mut held) = (Holder::of(pids.server), Held::default());
    while begun.elapsed() < duration {
        held.look(&server, pids);
        tokio::time::sleep(LOOK.min(duration.saturating_sub(begun.elapsed()))).await;
    }
    held
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

/// Column names of [`Series::cells`].
pub const COLUMNS: &[&str] = &[
    "",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "worst ms",
    "server CPU µs",
    "Redis CPU µs",
    "database CPU µs",
    "load CPU µs",
    "server MiB",
    "to Redis",
    "to database",
    "compared with",
    "requests/s ×",
    "least–most",
    "server CPU ×",
    "all CPU ×",
];

/// Explains the columns that do not explain themselves.
pub const HELD: &str = "worst: the slowest of all rounds. server MiB, to Redis, to database: the \
    most memory (PSS) and the most connections that the server held.";

impl Series {
    /// One row: medians, the worst, and the ratios to another series.
    pub fn cells(&self, other: Option<&Series>) -> Vec<Cell> {
        let of = |read: fn(&Sample) -> f64| median(self.samples.iter().map(read));
        let database = self.samples.iter().filter_map(|sample| sample.database_us);
        let database: Vec<f64> = database.collect();
        let mut held = Held::default();
        self.samples.iter().for_each(|sample| held.add(&sample.held));
        let worst = self.samples.iter().map(|sample| sample.worst_ms).fold(0.0, f64::max);
        let mut cells = vec![
            Cell::text(&self.name),
            Cell::Number(of(|sample| sample.requests_per_s), 0),
            Cell::Number(of(|sample| sample.p50_ms), 2),
            Cell::Number(of(|sample| sample.p99_ms), 2),
            Cell::Number(worst, 1),
            Cell::Number(of(|sample| sample.server_us), 0),
            Cell::Number(of(|sample| sample.redis_us), 0),
            if database.is_empty() { Cell::Nothing } else { Cell::Number(median(database), 0) },
            Cell::Number(of(|sample| sample.load_us), 0),
        ];
        cells.extend(held.cells());
        match other {
            None => cells.extend([const { Cell::Nothing }; 5]),
            Some(other) => {
                let Bar { low, middle, high, .. } = self.speed_bar("", other, None);
                cells.extend([
                    Cell::text(&other.name),
                    Cell::Number(middle, 2),
                    Cell::text(format!("{low:.2}–{high:.2}")),
                    Cell::Number(self.server_cpu_beside(other), 2),
                    Cell::Number(self.ratio(other, Sample::all_us), 2),
                ]);
            }
        }
        cells
    }

    /// Requests per second, and CPU of server and Redis in microseconds per request.
    pub fn cost(&self) -> [f64; 3] {
        let of = |read: fn(&Sample) -> f64| median(self.samples.iter().map(read));
        [of(|sample| sample.requests_per_s), of(|sample| sample.server_us), of(|it| it.redis_us)]
    }

    /// Percentile 50 and 99 of the times of answers, in milliseconds.
    pub fn times_ms(&self) -> [f64; 2] {
        [
            median(self.samples.iter().map(|it| it.p50_ms)),
            median(self.samples.iter().map(|it| it.p99_ms)),
        ]
    }

    /// Median of the rounds' ratios of the server's CPU per request.
    pub fn server_beside(&self, other: &Series) -> f64 {
        self.ratio(other, |sample| sample.server_us)
    }

    /// Median of the rounds' ratios of requests per second.
    pub fn speed_beside(&self, other: &Series) -> f64 {
        self.ratio(other, |sample| sample.requests_per_s)
    }

    /// Median of the rounds' ratios of the server's CPU time per request.
    pub fn server_cpu_beside(&self, other: &Series) -> f64 {
        self.ratio(other, |sample| sample.server_us)
    }

    /// [`Series::speed_beside`] with its spread, for a chart.
    pub fn speed_bar(&self, label: impl Into<String>, other: &Series, goal: Option<f64>) -> Bar {
        let ratios = self.ratios(other, |sample| sample.requests_per_s);
        Bar {
            label: label.into(),
            low: ratios.iter().copied().reduce(f64::min).unwrap_or(0.0),
            high: ratios.iter().copied().reduce(f64::max).unwrap_or(0.0),
            middle: median(ratios),
            goal,
        }
    }

    fn ratio(&self, other: &Series, read: impl Fn(&Sample) -> f64) -> f64 {
        median(self.ratios(other, read))
    }

    /// One per round.
    fn ratios(&self, other: &Series, read: impl Fn(&Sample) -> f64) -> Vec<f64> {
        let pairs = self.samples.iter().zip(&other.samples);
        pairs.map(|(ours, theirs)| read(ours) / read(theirs)).collect()
    }
}

/// A goal and whether it was met.
pub fn verdict(what: &str, ratio: f64, goal: f64) -> String {
    let word = if ratio >= goal { "met" } else { "MISSED" };
    format!("{what}: {ratio:.2}, goal ≥ {goal}: {word}.")
}

/// A goal that must not be exceeded, and whether it was met.
pub fn verdict_below(what: &str, ratio: f64, goal: f64) -> String {
    let word = if ratio < goal { "met" } else { "MISSED" };
    format!("{what}: {ratio:.2}, goal < {goal}: {word}.")
}
