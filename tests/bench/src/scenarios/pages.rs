//! `pages`: fresh values of a page in one request, compared with single reads on the same host and
//! with a Node server that does one `MGET`; then one hot value, with and without the instances' copies.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use support::stats::median;
use support::table::{Cell, Table};
use support::{Functions, Origin, Plan, RedisServer, cpu, token};

use crate::answer::request;
use crate::cli::Args;
use crate::load::{self, CONNECTIONS, Load};
use crate::measure::{Pids, Series, Subject, in_turns};
use crate::node::Node;
use crate::scenarios::address;

/// Bytes of each value.
const VALUE_BYTES: usize = 1024;
/// The server's CPU per value of a page of ten, beside that of a single read.
const GOAL: f64 = 0.35;
const PAGES: [usize; 3] = [1, 10, 50];
const WARM_UP: Duration = Duration::from_millis(500);

const RESOURCES: &str = r#"
[[resource]]
path = "page/{n}"
access = "public"
fresh = "7d"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "mine/{userId}/{n}"
access = "subject:userId"
fresh = "7d"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "hot"
access = "public"
fresh = "7d"
http = { url = "http://{{ settings_host }}/value" }

[[resource]]
path = "hot-local"
access = "public"
fresh = "7d"
local = "250ms"
http = { url = "http://{{ settings_host }}/value" }
"#;

const COLUMNS: &[&str] = &[
    "",
    "requests/s",
    "p50 ms",
    "p99 ms",
    "values/s",
    "server CPU µs per value",
    "Redis CPU µs per value",
    "server CPU × single",
    "server CPU × Node, as many",
];

const HOT: &[&str] = &[
    "one value, 32 connections",
    "requests/s",
    "server CPU µs per request",
    "Redis commands/s",
    "Redis CPU ms/s",
    "Redis CPU µs per request",
];

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let (redis, origin) = (RedisServer::start().await, Origin::start().await);
    origin.plan(Plan::json(&format!("{{\"value\":\"{}\"}}", "x".repeat(VALUE_BYTES - 12))));
    let setup = Functions::with(&redis).resources(RESOURCES);
    let functions = setup.variable("settings_host", origin.address()).start().await;
    let pages = pages(args, &redis, &functions, &origin).await?;
    let hot = hot(args, &redis, &functions).await?;
    Ok(vec![pages, hot])
}

/// A request for the first `values` of a page.
fn page(prefix: &str, values: usize, token: &str) -> Vec<u8> {
    let paths: Vec<String> = (0..values).map(|n| format!("{prefix}/{n}")).collect();
    request("POST", "/cache/read", token, &json!({ "paths": paths }).to_string())
}

fn single(prefix: &str, n: usize, token: &str) -> Vec<u8> {
    request("GET", &format!("/cache/{prefix}/{n}"), token, "")
}

/// A user's resources.
fn own(connection: usize) -> (String, String) {
    let user = format!("reader-{connection:02}");
    (format!("mine/{user}"), token(&user, ""))
}

/// A row: how many values a request has, and the names of the rows that it is compared with.
struct Row {
    subject: Subject,
    values: usize,
    single: &'static str,
    node: Option<String>,
}

const SINGLE: &str = "single reads";
const SINGLE_OWN: &str = "single reads, one user's, token";
const SINGLE_NODE: &str = "Node, GET";

fn rows(ours: std::net::SocketAddr, pids: Pids, node: Option<&Node>) -> Result<Vec<Row>> {
    let row = |name: String, values, single, node, load, pids| Row {
        subject: Subject { name, load, pids },
        values,
        single,
        node,
    };
    let load = Load::new(ours, 10, 200, |_, turn| single("page", turn, ""));
    let mut rows = vec![row(SINGLE.to_owned(), 1, SINGLE, None, load, pids)];
    for values in PAGES {
        let load = Load::new(ours, 1, 200, |_, _| page("page", values, ""));
        let node = node.map(|_| format!("Node, MGET of {values}"));
        rows.push(row(format!("a page of {values}"), values, SINGLE, node, load, pids));
    }
    let load = Load::new(ours, 10, 200, |connection, turn| {
        let (prefix, token) = own(connection);
        single(&prefix, turn, &token)
    });
    rows.push(row(SINGLE_OWN.to_owned(), 1, SINGLE_OWN, None, load, pids));
    let load = Load::new(ours, 1, 200, |connection, _| {
        let (prefix, token) = own(connection);
        page(&prefix, 10, &token)
    });
    let name = "a page of 10, one user's, token".to_owned();
    rows.push(row(name, 10, SINGLE_OWN, None, load, pids));
    if let Some(node) = node {
        let address = node.address();
        let pids = Pids { server: node.pid(), ..pids };
        let load = Load::new(address, 10, 200, |_, turn| single("node", turn, ""));
        rows.push(row(SINGLE_NODE.to_owned(), 1, SINGLE_NODE, None, load, pids));
        for values in PAGES {
            let load = Load::new(address, 1, 200, |_, _| page("node", values, ""));
            let name = format!("Node, MGET of {values}");
            rows.push(row(name, values, SINGLE_NODE, None, load, pids));
        }
    }
    Ok(rows)
}

async fn pages(
    args: &Args,
    redis: &RedisServer,
    functions: &Functions,
    origin: &Origin,
) -> Result<Table> {
    let node = Node::cache(&redis.url(), &format!("http://{}/value", origin.address())).await;
    let pids = Pids { server: functions.pid(), redis: redis.pid(), database: None };
    let rows = rows(address(functions)?, pids, node.as_ref())?;
    let (mut subjects, mut shapes) = (Vec::new(), Vec::new());
    for Row { subject, values, single, node } in rows {
        shapes.push((values, single, node));
        subjects.push(subject);
    }
    let series = in_turns(args, &subjects, async |_| Ok(())).await?;
    let of = |name: &str| series.iter().find(|series| series.name == name);
    let mut table = Table::new("pages: fresh values by POST /cache/read", COLUMNS);
    for (own, (values, single, node)) in series.iter().zip(&shapes) {
        let values = f64::from(u32::try_from(*values)?);
        let beside = |other: Option<&Series>, values: f64| match other {
            Some(other) if other.name != own.name => {
                Cell::Number(own.server_beside(other) / values, 2)
            }
            _ => Cell::Nothing,
        };
        let ([requests_per_s, server_us, redis_us], [p50, p99]) = (own.cost(), own.times_ms());
        let node = node.as_deref().and_then(of);
        table.rows.push(vec![
            Cell::text(&own.name),
            Cell::Number(requests_per_s, 0),
            Cell::Number(p50, 2),
            Cell::Number(p99, 2),
            Cell::Number(requests_per_s * values, 0),
            Cell::Number(server_us / values, 1),
            Cell::Number(redis_us / values, 1),
            beside(of(single), values),
            beside(node, 1.0),
        ]);
    }
    table
        .note(format!("Each value has {VALUE_BYTES} bytes; single reads take 10 values in turns."));
    for (name, single) in
        [("a page of 10", SINGLE), ("a page of 10, one user's, token", SINGLE_OWN)]
    {
        if let (Some(page), Some(single)) = (of(name), of(single)) {
            let ratio = page.server_beside(single) / 10.0;
            let word = if ratio <= GOAL { "met" } else { "MISSED" };
            let name = &single.name;
            table.note(format!("{} / {name}: {ratio:.2}, goal ≤ {GOAL}: {word}.", page.name));
        }
    }
    Ok(table)
}

/// One measurement of the hot value.
struct HotSample([f64; 5]);

async fn hot(args: &Args, redis: &RedisServer, functions: &Functions) -> Result<Table> {
    let subjects = [("without copies", "/cache/hot"), ("local = \"250ms\"", "/cache/hot-local")];
    let mut samples: [Vec<HotSample>; 2] = [Vec::new(), Vec::new()];
    for round in 0..args.rounds {
        let mut order = [0, 1];
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let sample = hot_once(args.seconds, redis, functions, subjects[at].1).await?;
            samples[at].push(sample);
        }
    }
    let mut table = Table::new("pages: one hot value at full load", HOT);
    for ((name, _), samples) in subjects.iter().zip(&samples) {
        let mut cells = vec![Cell::text(*name)];
        for (at, digits) in [0, 1, 0, 1, 1].into_iter().enumerate() {
            let values = samples.iter().map(|sample| sample.0[at]);
            cells.push(Cell::Number(median(values), digits));
        }
        table.rows.push(cells);
    }
    table.note(format!(
        "{CONNECTIONS} connections. Commands are all that Redis ran, in scripts too; the counts of \
         reads are among them."
    ));
    Ok(table)
}

async fn hot_once(
    seconds: Duration,
    redis: &RedisServer,
    functions: &Functions,
    target: &'static str,
) -> Result<HotSample> {
    let load = Load::new(address(functions)?, 1, 200, |_, _| request("GET", target, "", ""));
    let running = load::start(load, None)?;
    tokio::time::sleep(WARM_UP).await;
    let now = || cpu::of_processes([functions.pid(), redis.pid(), u32::MAX]);
    let (commands, cpu) = (commands(redis).await, now());
    running.measure();
    let begun = Instant::now();
    tokio::time::sleep(seconds).await;
    let (cpu_after, took) = (now(), begun.elapsed().as_secs_f64());
    let commands = self::commands(redis).await - commands;
    running.stop();
    let answers = tokio::task::block_in_place(|| running.finish())?.latencies.len() as f64;
    let us = |at: usize| cpu_after[at].saturating_sub(cpu[at]).as_secs_f64() * 1e6;
    Ok(HotSample([
        answers / took,
        us(0) / answers,
        commands / took,
        us(1) / 1000.0 / took,
        us(1) / answers,
    ]))
}

/// Commands that Redis has run so far.
async fn commands(redis: &RedisServer) -> f64 {
    let stats: String = redis.run("INFO stats").await;
    let count = stats.lines().find_map(|line| line.strip_prefix("total_commands_processed:"));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or(0.0)
}
