//! The tables: the measurements, their comparisons and goals, and the resulting capacity of a
//! machine.

mod capacity;
mod charts;
mod console;

use serde_json::{Value, json};
use support::stats::median;
use support::table::{Cell, Table};

use crate::audience::Borne;
use crate::cli::{Args, Kind};
use crate::payload::NOTIFICATION_BYTES;
use crate::session::Sample;

/// The share of a core that one thread uses at full speed on an idle machine.
const NODE_CORES: f64 = 0.85;

/// A gateway's turns, one per round.
pub struct Series {
    pub kind: Kind,
    pub samples: Vec<Sample>,
}

type Read = fn(&Sample) -> f64;

impl Series {
    fn of(&self, read: impl Fn(&Sample) -> f64) -> f64 {
        median(self.samples.iter().map(read))
    }

    /// Median of the rounds' ratios.
    fn beside(&self, other: &Series, read: Read) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        median(pairs.map(|(ours, theirs)| read(ours) / read(theirs)))
    }

    fn most(&self, read: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(read).fold(0.0, f64::max)
    }

    fn sum(&self, read: impl Fn(&Sample) -> f64) -> f64 {
        self.samples.iter().map(read).sum()
    }

    fn kernel_kib(&self) -> Option<f64> {
        let known: Vec<f64> = self.samples.iter().filter_map(|s| s.kernel_kib).collect();
        (!known.is_empty()).then(|| median(known))
    }
}

pub fn head(args: &Args) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores, load average {}; {} sockets of as many users, notifications of \
         {NOTIFICATION_BYTES} bytes, {} rounds in turns, {} s each; medians of the rounds, ratios \
         within each round",
        load_average(),
        args.sockets,
        args.rounds,
        args.seconds.as_secs_f64(),
    )
}

/// Of the last minute.
fn load_average() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').next().unwrap_or_default().to_owned()
}

/// A turn's results, while other turns are still running.
pub fn line(round: u32, kind: Kind, sample: &Sample) -> String {
    let Sample { connect_us, idle_kib, steady, full, .. } = sample;
    format!(
        "round {round}, {}: {connect_us:.0} µs per connect, {idle_kib:.2} KiB per socket, {:.1} µs \
         and {:.1} µs per message, {:.0}/s",
        kind.name(),
        steady.server_us,
        full.server_us,
        full.per_s,
    )
}

pub fn to_json(args: &Args, tables: &[Table]) -> Value {
    json!({
        "head": head(args),
        "sockets": args.sockets,
        "rate": args.rate,
        "seconds": args.seconds.as_secs_f64(),
        "rounds": args.rounds,
        "tables": tables.iter().map(Table::to_json).collect::<Vec<_>>(),
    })
}

pub fn tables(args: &Args, series: &[Series]) -> Vec<Table> {
    let mut tables =
        vec![sockets(series), steady(args, series), full(series), capacity::table(series)];
    tables.extend(goals(series));
    tables[1].charts.extend(charts::latencies(args, series));
    tables[1].charts.extend(charts::costs(args, series));
    tables.extend(console::table(args, series));
    tables
}

fn sockets(series: &[Series]) -> Table {
    let mut table = Table::new(
        "Sockets",
        &[
            "",
            "connect CPU µs",
            "connects/s",
            "process MiB without",
            "KiB/socket, idle",
            "KiB/socket, after the messages",
            "kernel KiB/socket",
        ],
    );
    table.rows.extend(series.iter().map(|one| {
        vec![
            Cell::text(one.kind.name()),
            Cell::Number(one.of(|s| s.connect_us), 0),
            Cell::Number(one.of(|s| s.connects_per_s), 0),
            Cell::Number(one.of(|s| s.base_mib), 1),
            Cell::Number(one.of(|s| s.idle_kib), 2),
            Cell::Number(one.of(|s| s.later_kib), 2),
            one.kernel_kib().map_or(Cell::Nothing, |kib| Cell::Number(kib, 2)),
        ]
    }));
    table.note(
        "Memory of the process is PSS above what it had after 100 sockets came and went. The kernel's, per end: slabs of \
         connections, files and epoll, and TCP's buffers, shared among the sockets that it counts.",
    );
    table
}

const LOAD: &[&str] = &[
    "",
    "delivered/s",
    "server CPU µs",
    "server cores",
    "Redis CPU µs",
    "load CPU µs",
    "p50 ms",
    "p99 ms",
    "worst ms",
    "lost",
    "doubled",
];

/// A row per gateway with one of its two loads.
fn loads(title: impl Into<String>, series: &[Series], load: fn(&Sample) -> &Borne) -> Table {
    let mut table = Table::new(title, LOAD);
    table.rows.extend(series.iter().map(|one| {
        vec![
            Cell::text(one.kind.name()),
            Cell::Number(one.of(|s| load(s).per_s), 0),
            Cell::Number(one.of(|s| load(s).server_us), 1),
            Cell::Number(one.of(|s| load(s).cores), 2),
            Cell::Number(one.of(|s| load(s).redis_us), 1),
            Cell::Number(one.of(|s| load(s).load_us), 1),
            Cell::Number(one.of(|s| load(s).p50_ms), 2),
            Cell::Number(one.of(|s| load(s).p99_ms), 2),
            Cell::Number(one.most(|s| load(s).worst_ms), 1),
            Cell::Number(one.sum(|s| load(s).lost as f64), 0),
            Cell::Number(one.sum(|s| load(s).doubled as f64), 0),
        ]
    }));
    table
}

fn steady(args: &Args, series: &[Series]) -> Table {
    let mut table = loads(format!("{} messages/s", args.rate), series, |s| &s.steady);
    table.note(
        "CPU times are per delivered message; worst, lost and doubled are of all rounds. \
         Memory and connections are in the table of sockets.",
    );
    table
}

fn full(series: &[Series]) -> Table {
    let mut table = loads("As fast as it goes", series, |s| &s.full);
    table.note("At most 2,000 messages are under way; this determines the latencies here.");
    let node = series.iter().find(|one| one.kind == Kind::Node);
    if let Some(cores) = node.map(|node| node.of(|s| s.full.cores)).filter(|&c| c < NODE_CORES) {
        table.note(format!(
            "Node had {cores:.2} of the one core that it can use: others kept this machine busy, and \
             ratios of throughput mean little."
        ));
    }
    table
}

/// A goal of the hub: a ratio to Node, or an absolute number.
struct Goal {
    what: &'static str,
    read: Read,
    is_ratio: bool,
    bound: Bound,
}

enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

const GOALS: &[Goal] = &[
    Goal {
        what: "CPU per delivered message / Node's",
        read: |s| s.steady.server_us,
        is_ratio: true,
        bound: Bound::AtMost(0.4),
    },
    Goal {
        what: "top throughput / Node's",
        read: |s| s.full.per_s,
        is_ratio: true,
        bound: Bound::AtLeast(2.0),
    },
    Goal {
        what: "KiB per idle socket",
        read: |s| s.idle_kib,
        is_ratio: false,
        bound: Bound::AtMost(4.0),
    },
    Goal {
        what: "CPU per connect / Node's",
        read: |s| s.connect_us,
        is_ratio: true,
        bound: Bound::AtMost(0.3),
    },
    Goal {
        what: "p99 publish to client / Node's",
        read: |s| s.steady.p99_ms,
        is_ratio: true,
        bound: Bound::AtMost(1.0),
    },
    Goal {
        what: "lost and doubled",
        read: |s| {
            let loads = [&s.steady, &s.full];
            loads.iter().map(|load| (load.lost + load.doubled) as f64).sum()
        },
        is_ratio: false,
        bound: Bound::AtMost(0.0),
    },
];

/// `None` unless hub and Node were both measured.
fn goals(series: &[Series]) -> Option<Table> {
    let find = |kind| series.iter().find(|one| one.kind == kind);
    let (hub, node, floor) = (find(Kind::Hub)?, find(Kind::Node)?, find(Kind::Floor));
    let mut table = Table::new("Goals", &["", "hub", "floor", "Node", "goal", ""]);
    for Goal { what, read, is_ratio, bound } in GOALS {
        let value = |one: &Series| match is_ratio {
            true => one.beside(node, *read),
            false => one.of(*read),
        };
        let ours = match is_ratio {
            true => value(hub),
            // For goals of zero, the worst round counts.
            false if matches!(bound, Bound::AtMost(0.0)) => hub.sum(*read),
            false => value(hub),
        };
        let (goal, is_met) = match bound {
            Bound::AtMost(most) => (format!("≤ {most}"), ours <= *most),
            Bound::AtLeast(least) => (format!("≥ {least}"), ours >= *least),
        };
        table.rows.push(vec![
            Cell::text(*what),
            Cell::Number(ours, 2),
            floor.map_or(Cell::Nothing, |floor| Cell::Number(value(floor), 2)),
            Cell::Number(value(node), 2),
            Cell::text(goal),
            Cell::text(if is_met { "met" } else { "MISSED" }),
        ]);
    }
    Some(table)
}
