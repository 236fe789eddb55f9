//! `bulk`: `POST /notifications/batch`, compared with a service that does `prisma.createMany` and
//! one pipeline to Redis; and the time of a fan-out to many users.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use support::held::Holder;
use support::stats::percentile;
use support::table::{Cell, Table};
use support::{Functions, RedisServer, cpu, token};

use crate::answer::request;
use crate::cli::{Args, RecordKind};
use crate::load::{self, Load};
use crate::measure::{COLUMNS, HELD, Held, Pids, Series, Subject, in_turns, verdict, warm_up};
use crate::records::{Backend, DURABLE};
use crate::scenarios::{address, nest, ratios};

/// Callers, each with one batch at a time: a batch keeps a server busy for a while.
const CALLERS: usize = 4;
const SIZES: [usize; 2] = [100, 500];
/// Users of the batches for many users.
const USERS: usize = 40_000;
/// The goal.
const GOAL: f64 = 3.0;
/// The size of the fan-out that the smaller one stands for.
const WHOLE: f64 = 1_000_000.0;
const LOOK: Duration = Duration::from_millis(500);

const FAN_OUT: &[&str] = &[
    "",
    "notifications",
    "seconds",
    "notifications/s",
    "1,000,000 take, seconds",
    "batch p50 ms",
    "batch p99 ms",
    "worst ms",
    "server CPU µs",
    "Redis CPU µs",
    "database CPU µs",
    "server MiB",
    "to Redis",
    "to database",
];

/// Whom a batch is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    OneUser,
    ManyUsers,
}

/// A measured server.
struct Side {
    name: String,
    address: SocketAddr,
    pids: Pids,
    /// Text of an answer in which everything was created.
    text: &'static str,
}

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let mut table = Table::new("bulk: POST /notifications/batch, notifications/s", COLUMNS);
    let (backends, word) = Backend::all(&[DURABLE]).await?;
    table.notes.extend(word);
    let redis = RedisServer::start().await;
    let mut sides = Vec::new();
    let mut running = Vec::new();
    let postgres = backends.iter().find(|backend| backend.kind == RecordKind::Postgres);
    let node = match postgres {
        Some(postgres) => nest::peer(&redis, postgres).await?,
        None => None,
    };
    let database = postgres.and_then(Backend::pid);
    if let Some(node) = &node {
        let pids = Pids { server: node.pid(), redis: redis.pid(), database };
        let (name, text) = ("createMany + pipeline".to_owned(), "\"createdAt\"");
        sides.push(Side { name, address: node.address(), pids, text });
    }
    let wanted = |backend: &&Backend| args.record.is_none_or(|kind| kind == backend.kind);
    for backend in backends.iter().filter(wanted) {
        let functions = backend.functions(&redis).await;
        check_batch(&functions).await?;
        let pids = Pids { server: functions.pid(), redis: redis.pid(), database: backend.pid() };
        let (name, text) = (format!("functions, {}", backend.name), "\"delivery\":\"sent\"");
        sides.push(Side { name, address: address(&functions)?, pids, text });
        running.push(functions);
    }
    measure(args, &sides, &mut table, node.is_some()).await?;
    let fan_out = fan_out(args, &sides).await?;
    Ok(vec![table, fan_out])
}

async fn measure(args: &Args, sides: &[Side], table: &mut Table, has_peer: bool) -> Result<()> {
    let mut bars = Vec::new();
    for to in [For::OneUser, For::ManyUsers] {
        for size in SIZES {
            let what = match to {
                For::OneUser => format!("{size}, one user"),
                For::ManyUsers => format!("{size}, many users"),
            };
            let subject = |side: &Side| side.subject(&what, size, to);
            let subjects: Vec<Subject> = sides.iter().map(subject).collect();
            warm_up(&subjects, async |_| Ok(())).await?;
            let series = in_turns(args, &subjects, async |_| Ok(())).await?;
            let (peer, ours) = series.split_at(usize::from(has_peer));
            table.rows.extend(peer.iter().map(|peer| peer.cells(None)));
            for one in ours {
                table.rows.push(one.cells(peer.first()));
                let Some(peer) = peer.first() else { continue };
                table.note(verdict(&one.name, one.speed_beside(peer), GOAL));
                bars.push(one.speed_bar(short(one), peer, Some(GOAL)));
            }
        }
    }
    table.note(
        "Rates and CPU times are per notification, latencies per batch. The peer's record is on \
         Postgres in all rows.",
    );
    table.note(HELD);
    table.charts.push(ratios(
        args,
        "bulk",
        "Notifications per second in batches",
        "prisma.createMany and a pipeline to Redis",
        bars,
    ));
    Ok(())
}

/// The label of a bar.
fn short(series: &Series) -> String {
    series.name.replace("functions, ", "")
}

impl Side {
    fn subject(&self, what: &str, size: usize, to: For) -> Subject {
        let turns = match to {
            For::OneUser => 1,
            For::ManyUsers => (USERS / size).div_ceil(CALLERS),
        };
        let load = self.load(turns, size, |caller, turn, item| match to {
            For::OneUser => format!("{}-one-{caller}", self.prefix()),
            For::ManyUsers => {
                format!("{}-{:06}", self.prefix(), (caller * turns + turn) * size + item)
            }
        });
        Subject { name: format!("{what}: {}", self.name), load, pids: self.pids }
    }

    /// Users of its own: one feed in one Redis cannot belong to two records.
    fn prefix(&self) -> String {
        self.name.chars().filter(char::is_ascii_alphanumeric).collect()
    }

    fn load(
        &self,
        turns: usize,
        size: usize,
        user: impl Fn(usize, usize, usize) -> String,
    ) -> Load {
        let token = token("a service", "notifications:write");
        let load = Load::of(CALLERS, self.address, turns, 200, |caller, turn| {
            let items: Vec<Value> =
                (0..size).map(|item| draft(&user(caller, turn, item), item)).collect();
            let body = json!({"notifications": items}).to_string();
            request("POST", "/notifications/batch", &token, &body)
        });
        Load { text: self.text, items: size, ..load }
    }
}

/// Every item makes an entry of about 250 bytes.
fn draft(user: &str, item: usize) -> Value {
    json!({
        "userId": user,
        "title": format!("Order {item:04} has been shipped"),
        "body": "It is on its way.",
        "kind": "order.shipped",
        "data": {"orderId": 100_000 + item, "carrier": "post"},
    })
}

/// Checks that every notification of a batch is created and delivered.
async fn check_batch(functions: &Functions) -> Result<()> {
    let items: Vec<Value> = (0..10).map(|item| draft(&format!("check-{item}"), item)).collect();
    let body = json!({"notifications": items}).to_string();
    let token = token("a service", "notifications:write");
    let answer = functions.post("/notifications/batch", body).token(&token).send().await;
    let answer = answer.expect(200).json();
    let results = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
    let is_sent = |result: &Value| result["notification"]["delivery"] == "sent";
    ensure!(results.len() == items.len() && results.iter().all(is_sent), "{answer}");
    Ok(())
}

/// One notification for each of many new users, as fast as it goes.
async fn fan_out(args: &Args, sides: &[Side]) -> Result<Table> {
    let size = SIZES[1];
    let count = args.fan_out as usize;
    let turns = count.div_ceil(size).div_ceil(CALLERS);
    let title = format!("bulk: a fan-out to {} new users", turns * size * CALLERS);
    let mut table = Table::new(title, FAN_OUT);
    for side in sides {
        let load = side.load(turns, size, |caller, turn, item| {
            format!("{}-out-{:07}", side.prefix(), (caller * turns + turn) * size + item)
        });
        let load = Load { is_once: true, ..load };
        table.rows.push(fan_out_once(side, load, turns * CALLERS).await?);
    }
    table.note(
        "One run each, in batches of 500 by four callers. The time of 1,000,000 is computed.",
    );
    Ok(table)
}

async fn fan_out_once(side: &Side, load: Load, batches: usize) -> Result<Vec<Cell>> {
    let Pids { server, redis, database } = side.pids;
    let count = (batches * load.items) as f64;
    let times = || cpu::of_processes([server, redis, database.unwrap_or(u32::MAX)]);
    let (holder, mut held) = (Holder::of(server), Held::default());
    let (before, begun) = (times(), Instant::now());
    let running = load::start(load, None)?;
    running.measure();
    let finished = tokio::task::spawn_blocking(|| running.finish());
    while !finished.is_finished() {
        held.look(&holder, &side.pids);
        // Ends with the load, so that the time is the load's.
        let _ = tokio::time::timeout(LOOK, async {
            while !finished.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        })
        .await;
    }
    let (took, after) = (begun.elapsed().as_secs_f64(), times());
    let latencies = finished.await??.latencies;
    ensure!(latencies.len() == batches, "{} answers of {batches}", latencies.len());
    let ms = |percent| Cell::Number(f64::from(percentile(&latencies, percent)) / 1000.0, 1);
    let us = |at: usize| (after[at] - before[at]).as_secs_f64() * 1e6 / count;
    let mut cells = vec![
        Cell::text(&side.name),
        Cell::Number(count, 0),
        Cell::Number(took, 1),
        Cell::Number(count / took, 0),
        Cell::Number(took * WHOLE / count, 0),
        ms(50.0),
        ms(99.0),
        ms(100.0),
        Cell::Number(us(0), 1),
        Cell::Number(us(1), 1),
        database.map_or(Cell::Nothing, |_| Cell::Number(us(2), 1)),
    ];
    cells.extend(held.cells());
    Ok(cells)
}
