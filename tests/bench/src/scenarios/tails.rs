//! `tails`: the waits of the slowest creates, and the connections held meanwhile. Medians hide
//! both.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use redis::aio::MultiplexedConnection;
use support::chart::{Chart, Content, Curve};
use support::held::Holder;
use support::stats::percentile;
use support::table::{Cell, Table};
use support::{Functions, RedisServer, cpu};

use crate::cli::Args;
use crate::load::{self, Load, Seen};
use crate::records::{Backend, DURABLE};
use crate::scenarios::{Users, address};
use crate::stalls::{self, Slow, Stalls};

/// The usual number of connections, and more than the host has for one component's database.
const CROWDS: [usize; 2] = [32, 128];
/// Concurrent requests at a host that has been idle for a while.
const BURST: usize = 300;
const WARM_UP: Duration = Duration::from_secs(2);
/// Pause between two samples of the connections.
const LOOK: Duration = Duration::from_millis(100);
/// Longer than the host keeps an idle instance.
const REST: Duration = Duration::from_millis(1500);

/// The goals.
const WORST_MS: f64 = 500.0;
const P99_BESIDE_P50: f64 = 4.0;

const COLUMNS: &[&str] = &[
    "",
    "connections",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "worst ms",
    "p99 / p50",
    "failures",
    "server CPU µs",
    "database: running",
    "idle, held",
    "Redis connections",
    "server MiB",
];

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let seconds = args.tail_seconds.as_secs_f64();
    let mut table = Table::new(format!("tails: creates for {seconds} s"), COLUMNS);
    let mut curves = Vec::new();
    let (backends, word) = Backend::chosen(args, &[DURABLE]).await?;
    for backend in &backends {
        let redis = RedisServer::start().await;
        let functions = backend.functions(&redis).await;
        let watch = Watch::new(backend, &redis, &functions).await?;
        for connections in CROWDS {
            let load = Users("tails").creates_over(connections, address(&functions)?);
            let load = Load { counts_failures: true, ..load };
            let row = closed_loop(args, load, &watch, &functions).await?;
            curves.push(row.curve(format!("{}, {connections} connections", backend.name)));
            row.add_to(&mut table, format!("functions, {}", backend.name), connections);
            tokio::time::sleep(REST).await;
        }
        let load = Users("burst").creates_over(BURST, address(&functions)?);
        let load = Load { counts_failures: true, ..load };
        let row = burst(load, &watch, &functions).await?;
        curves.push(row.curve(format!("{}, {BURST} at once", backend.name)));
        row.add_to(&mut table, format!("{BURST} at once, {}", backend.name), BURST);
    }
    table.notes.extend(word);
    table.note(
        "database: connections of the functions, the most seen while statements run (not idle) \
         and while nothing runs on them (idle). Redis: the most connections seen. server MiB: the \
         most memory (PSS).",
    );
    table.charts.push(Chart {
        name: "tails",
        title: "Creates, from the median to the slowest".to_owned(),
        subtitle: format!(
            "Milliseconds that a share of all requests did not exceed, in {seconds} s"
        ),
        content: Content::Latencies(curves),
    });
    Ok(vec![table])
}

/// One measurement.
struct Row {
    seen: Seen,
    took: Duration,
    server: Duration,
    held: Held,
    /// Of the machine; not for a burst, which is over too soon.
    stalls: Option<Stalls>,
}

async fn closed_loop(args: &Args, load: Load, watch: &Watch, functions: &Functions) -> Result<Row> {
    let running = load::start(load, None)?;
    tokio::time::sleep(WARM_UP).await;
    let [before] = cpu::of_processes([functions.pid()]);
    running.measure();
    let begun = Instant::now();
    let stalls = stalls::Watch::start(running.begun);
    let mut held = Held::default();
    while begun.elapsed() < args.tail_seconds {
        watch.look(&mut held).await?;
        tokio::time::sleep(LOOK).await;
    }
    let (took, [after]) = (begun.elapsed(), cpu::of_processes([functions.pid()]));
    running.stop();
    let stalls = stalls.finish()?;
    let seen = tokio::task::block_in_place(|| running.finish())?;
    Ok(Row { seen, took, server: after.saturating_sub(before), held, stalls: Some(stalls) })
}

async fn burst(load: Load, watch: &Watch, functions: &Functions) -> Result<Row> {
    let [before] = cpu::of_processes([functions.pid()]);
    let begun = Instant::now();
    let running = load::start(load, Some(BURST as u64))?;
    running.measure();
    let finished = tokio::task::spawn_blocking(|| running.finish());
    let mut held = Held::default();
    while !finished.is_finished() {
        watch.look(&mut held).await?;
        tokio::time::sleep(LOOK / 10).await;
    }
    let seen = finished.await??;
    let (took, [after]) = (begun.elapsed(), cpu::of_processes([functions.pid()]));
    Ok(Row { seen, took, server: after.saturating_sub(before), held, stalls: None })
}

/// The highest numbers of connections seen, and the most memory.
#[derive(Default)]
struct Held {
    /// Not idle, idle.
    database: Option<(i64, i64)>,
    redis: u64,
    memory_bytes: Option<u64>,
}

/// Separate connections for observing.
struct Watch {
    redis: MultiplexedConnection,
    database: Option<tokio_postgres::Client>,
    server: Holder,
}

impl Watch {
    async fn new(backend: &Backend, redis: &RedisServer, server: &Functions) -> Result<Self> {
        let database = match backend.watch_url() {
            None => None,
            Some(url) => {
                let (client, connection) =
                    tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
                tokio::spawn(connection);
                Some(client)
            }
        };
        let server = Holder::of(server.pid());
        Ok(Self { redis: redis.connection().await, database, server })
    }

    async fn look(&self, held: &mut Held) -> Result<()> {
        if let Some(database) = &self.database {
            let row = database.query_one(CONNECTIONS_BY_STATE, &[]).await?;
            let (running, idle): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
            let (running_most, idle_most) = held.database.unwrap_or_default();
            held.database = Some((running_most.max(running), idle_most.max(idle)));
        }
        let mut redis = self.redis.clone();
        let info: String = redis::cmd("INFO").arg("clients").query_async(&mut redis).await?;
        let clients = info.lines().find_map(|line| line.strip_prefix("connected_clients:"));
        let clients: u64 = clients.context("INFO has no connected_clients")?.trim().parse()?;
        // Without the observer's own connection.
        held.redis = held.redis.max(clients.saturating_sub(1));
        held.memory_bytes = held.memory_bytes.max(self.server.memory_bytes());
        Ok(())
    }
}

/// Of the database of the functions.
const CONNECTIONS_BY_STATE: &str = "SELECT count(*) FILTER (WHERE state <> 'idle'), \
    count(*) FILTER (WHERE state = 'idle') FROM pg_stat_activity WHERE datname = 'functions'";

impl Row {
    /// What went on during the slowest request: others that were slow, too, and the machine.
    fn explanation(&self) -> Option<String> {
        let (stalls, worst) = (self.stalls?, *self.seen.slowest.first()?);
        let slow = self.seen.slowest.iter().filter(|slow| slow.took > worst.took / 2);
        let with = slow.filter(|slow| slow.overlaps(&worst)).count() - 1;
        let Stalls { delay, write } = stalls;
        let then = |what: Slow| if what.overlaps(&worst) { " (during the worst)" } else { "" };
        Some(format!(
            "the worst took {}, and {with} others at that time more than half as long; the \
             machine's slowest write to the disk {}{}, its longest delay of a thread {}{}",
            worst.shown(),
            write.shown(),
            then(write),
            delay.shown(),
            then(delay),
        ))
    }

    fn curve(&self, label: String) -> Curve {
        Curve::new(label, &self.seen.latencies)
    }

    fn add_to(self, table: &mut Table, name: String, connections: usize) {
        if let Some(explanation) = self.explanation() {
            table.note(format!("{name}, {connections}: {explanation}."));
        }
        let Self { seen, took, server, held, .. } = self;
        let ms = |percent| f64::from(percentile(&seen.latencies, percent)) / 1000.0;
        let (p50, p99, worst) = (ms(50.0), ms(99.0), ms(100.0));
        let answered = seen.latencies.len() as f64;
        let failures: Vec<String> =
            seen.failures.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        let database = |which: fn((i64, i64)) -> i64| {
            held.database.map_or(Cell::Nothing, |both| Cell::Number(which(both) as f64, 0))
        };
        let of_goals = [worst <= WORST_MS, p99 <= P99_BESIDE_P50 * p50, failures.is_empty()];
        let word = if of_goals == [true; 3] { "met" } else { "MISSED" };
        table.note(format!(
            "{name}, {connections}: goals (worst ≤ {WORST_MS} ms, p99 ≤ {P99_BESIDE_P50} × p50, no \
             failures): {word}."
        ));
        table.rows.push(vec![
            Cell::text(name),
            Cell::Number(connections as f64, 0),
            Cell::Number(answered / took.as_secs_f64(), 0),
            Cell::Number(p50, 2),
            Cell::Number(p99, 2),
            Cell::Number(ms(99.9), 2),
            Cell::Number(worst, 1),
            Cell::Number(if p50 > 0.0 { p99 / p50 } else { 0.0 }, 1),
            Cell::text(if failures.is_empty() { "–".to_owned() } else { failures.join(", ") }),
            Cell::Number(server.as_secs_f64() * 1e6 / answered.max(1.0), 0),
            database(|(running, _)| running),
            database(|(_, idle)| idle),
            Cell::Number(held.redis as f64, 0),
            held.memory_bytes
                .map_or(Cell::Nothing, |bytes| Cell::Number(bytes as f64 / 1024.0 / 1024.0, 0)),
        ]);
    }
}
