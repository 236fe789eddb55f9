//! A subject's measurements as rows of a table, and beside those of another subject.

use support::chart::Bar;
use support::stats::median;
use support::table::Cell;

use super::Held;

/// One measurement. CPU times are microseconds per request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) requests_per_s: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) worst_ms: f64,
    pub(super) server_us: f64,
    pub(super) redis_us: f64,
    pub(super) database_us: Option<f64>,
    pub(super) load_us: f64,
    pub(super) held: Held,
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
    pub(super) samples: Vec<Sample>,
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
