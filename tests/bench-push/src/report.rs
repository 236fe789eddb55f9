//! The tables: medians with their spread, and the goals.

use serde_json::{Value, json};
use support::stats::median;
use support::table::{Cell, Table};

use crate::campaign::{Outcome, Plan};
use crate::cli::{Args, Service};
use crate::measure::{Sample, Series};
use crate::subject::Subject;

type Read = fn(&Sample) -> f64;

impl Series {
    fn of(&self, read: Read) -> f64 {
        median(self.samples.iter().map(read))
    }

    /// Smallest and largest.
    fn spread(&self, read: Read, decimals: usize) -> String {
        let values = || self.samples.iter().map(read);
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        format!("{least:.decimals$}–{most:.decimals$}")
    }

    /// Median of the rounds' ratios.
    fn beside(&self, other: &Series, read: Read) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        median(pairs.map(|(this, that)| read(this) / read(that)))
    }

    /// p50 and p99, medians; the slowest of all rounds.
    fn latencies(&self) -> [Cell; 3] {
        let known: Vec<[f64; 3]> = self.samples.iter().filter_map(|s| s.latencies_ms).collect();
        if known.is_empty() {
            return [const { Cell::Nothing }; 3];
        }
        let of = |at: usize| known.iter().map(move |all| all[at]);
        let worst = of(2).fold(0.0, f64::max);
        [median(of(0)), median(of(1)), worst].map(|ms| Cell::Number(ms, 1))
    }
}

pub fn head(args: &Args) -> String {
    format!(
        "{} cores, load average {}; {} rounds of {} s in turns, {} threads of ours; medians of the \
         rounds, ratios within each round",
        std::thread::available_parallelism().map_or(1, usize::from),
        load_average(),
        args.rounds,
        args.seconds.as_secs_f64(),
        args.threads,
    )
}

/// Of the last minute.
pub fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

pub fn to_json(args: &Args, head: &str, tables: &[Table]) -> Value {
    json!({
        "head": head,
        "loadAverageAtTheEnd": load_average(),
        "seconds": args.seconds.as_secs_f64(),
        "rounds": args.rounds,
        "tables": tables.iter().map(Table::to_json).collect::<Vec<_>>(),
    })
}

const COLUMNS: &[&str] = &[
    "",
    "delay ms",
    "in flight",
    "CPU µs/send",
    "least–most",
    "× ours",
    "sends/s",
    "least–most",
    "cores",
    "p50 ms",
    "p99 ms",
    "worst ms",
    "connections",
    "new ones",
    "tokens",
    "body bytes",
    "MiB",
    "server µs",
];

pub fn table(service: Service, all: &[Series]) -> Table {
    let mut table = Table::new(service.name(), COLUMNS);
    for one in all {
        let ours = ours_beside(all, one);
        let [p50, p99, worst] = one.latencies();
        table.rows.push(vec![
            Cell::text(one.subject.name()),
            Cell::Number(one.delay_ms as f64, 0),
            Cell::Number(f64::from(one.in_flight), 0),
            Cell::Number(one.of(|s| s.cpu_us), 1),
            Cell::text(one.spread(|s| s.cpu_us, 1)),
            ours.map_or(Cell::Nothing, |ours| Cell::Number(one.beside(ours, |s| s.cpu_us), 1)),
            Cell::Number(one.of(|s| s.sends_per_s), 0),
            Cell::text(one.spread(|s| s.sends_per_s, 0)),
            Cell::Number(one.of(|s| s.cores), 2),
            p50,
            p99,
            worst,
            Cell::Number(one.of(|s| s.connections), 0),
            Cell::Number(one.of(|s| s.connects), 0),
            Cell::Number(one.of(|s| s.oauth), 0),
            Cell::Number(one.of(|s| s.body_bytes), 0),
            Cell::Number(one.of(|s| s.mib), 1),
            Cell::Number(one.of(|s| s.server_us), 1),
        ]);
    }
    table.note(format!(
        "CPU is user and system time of the sending process. Connections: the most at once, and \
         new ones in the measurement; tokens: requests for one. Load average at the end: {}.",
        load_average()
    ));
    table
}

/// Ours under the same conditions, unless `one` is ours.
fn ours_beside<'a>(all: &'a [Series], one: &Series) -> Option<&'a Series> {
    let is_ours = |series: &&Series| matches!(series.subject, Subject::Ours(_));
    all.iter().filter(is_ours).find(|ours| {
        ours.subject != one.subject
            && (ours.in_flight, ours.delay_ms) == (one.in_flight, one.delay_ms)
    })
}

/// CPU per send at most, peers' CPU at least so many times ours, and sends per second at 40 ms.
struct Goals {
    cpu_us: f64,
    times: f64,
    sends_per_s: f64,
}

const DELAY_MS: u64 = 40;

pub fn goals(service: Service, all: &[Series]) -> Table {
    let goals = match service {
        Service::Fcm => Goals { cpu_us: 35.0, times: 4.0, sends_per_s: 8_000.0 },
        Service::WebPush => Goals { cpu_us: 120.0, times: 8.0, sends_per_s: 8_000.0 },
    };
    let title = format!("{}: goals", service.name());
    let mut table = Table::new(title, &["", "delay ms", "in flight", "value", "goal", ""]);
    let mut row = |what: String, one: &Series, value: f64, goal: String, is_met: bool| {
        table.rows.push(vec![
            Cell::text(what),
            Cell::Number(one.delay_ms as f64, 0),
            Cell::Number(f64::from(one.in_flight), 0),
            Cell::Number(value, 1),
            Cell::text(goal),
            Cell::text(if is_met { "met" } else { "MISSED" }),
        ]);
    };
    for one in all {
        match ours_beside(all, one) {
            None => {
                let cpu_us = one.of(|s| s.cpu_us);
                let goal = format!("≤ {}", goals.cpu_us);
                row("CPU µs per send".to_owned(), one, cpu_us, goal, cpu_us <= goals.cpu_us);
                if one.delay_ms == DELAY_MS && one.in_flight >= 400 {
                    let per_s = one.of(|s| s.sends_per_s);
                    let goal = format!("≥ {}", goals.sends_per_s);
                    row("sends/s".to_owned(), one, per_s, goal, per_s >= goals.sends_per_s);
                }
            }
            Some(ours) => {
                let times = one.beside(ours, |s| s.cpu_us);
                let what = format!("CPU of {} / ours", one.subject.name());
                row(what, one, times, format!("≥ {}", goals.times), times >= goals.times);
            }
        }
    }
    table
}

const CAMPAIGN_COLUMNS: &[&str] = &[
    "",
    "delay ms",
    "seconds",
    "users/s",
    "the most",
    "worker CPU µs",
    "Redis CPU µs",
    "functions CPU µs",
    "record CPU µs",
    "server CPU µs",
    "pushed",
    "more than once",
    "responses",
    "feed entries",
    "connections",
    "worker MiB",
    "Redis MiB",
];

/// Campaigns of the worker.
pub fn campaigns(all: &[(Plan, Vec<Outcome>)]) -> Table {
    let mut table = Table::new("Campaigns", CAMPAIGN_COLUMNS);
    for (plan, outcomes) in all {
        let of = |read: fn(&Outcome) -> f64| median(outcomes.iter().map(read));
        let number = |read, decimals| Cell::Number(of(read), decimals);
        let feed = if plan.feed { "feed" } else { "push only" };
        table.rows.push(vec![
            Cell::text(format!("{} users, {feed}", of(|o| o.users))),
            Cell::Number(plan.delay_ms as f64, 0),
            number(|o| o.seconds, 1),
            number(|o| o.users / o.seconds, 0),
            number(|o| o.per_s_most, 0),
            number(|o| o.worker_us, 1),
            number(|o| o.redis_us, 1),
            number(|o| o.functions_us, 1),
            number(|o| o.record_us, 1),
            number(|o| o.server_us, 1),
            number(|o| o.pushed, 0),
            number(|o| o.repeated, 0),
            number(|o| o.responses, 0),
            number(|o| o.entries, 0),
            number(|o| o.connections, 0),
            number(|o| o.worker_mib, 1),
            number(|o| o.redis_mib, 1),
        ]);
    }
    table.note(format!(
        "CPU is per user; the ramp is one second instead of 60. Memory is the worker's most, and \
         that of Redis with the users before the start. Load average at the end: {}.",
        load_average()
    ));
    table
}
