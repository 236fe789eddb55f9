//! `queues`: messages sent, received and acknowledged per second, compared with BullMQ and empty
//! jobs on the same Redis.

use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use support::{Functions, RedisServer, process, token};

use crate::cli::Args;
use crate::measure::{Pids, watch};
use crate::node;
use support::cpu;
use support::stats::{median, percentile};
use support::table::{Cell, Table};

const BATCHES: [usize; 2] = [10, 100];
/// Callers that send, receive and acknowledge in turns; the peer has as many producers.
const WORKERS: usize = 4;
const WARM_UP: Duration = Duration::from_millis(500);
/// Time for the peer's start and end, in addition to its run.
const PEER_LIMIT: Duration = Duration::from_secs(60);
/// The goal, at the larger batch.
const GOAL: f64 = 3.0;

const COLUMNS: &[&str] = &[
    "batches of",
    "who",
    "messages/s",
    "send p50 ms",
    "p99 ms",
    "worst ms",
    "server µs",
    "Redis µs",
    "client µs",
    "server MiB",
    "to Redis",
    "beside BullMQ ×",
];

/// One measurement; CPU times are microseconds per message.
#[derive(Clone, Copy)]
struct Sample {
    messages_per_s: f64,
    /// Of one batch that is sent: p50, p99, and the slowest.
    send_ms: [f64; 3],
    memory_mib: Option<f64>,
    redis_connections: Option<usize>,
    server_us: f64,
    redis_us: f64,
    client_us: f64,
}

pub async fn run(args: &Args) -> Result<Vec<Table>> {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let peer = node::dir("queues-bullmq", "bench.js");
    let mut table = Table::new("queues: send, receive and acknowledge", COLUMNS);
    for batch in BATCHES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            ours.push(functions_once(args, &redis, &functions, batch).await?);
            if let Some(dir) = &peer {
                let script = dir.join("bench.js");
                theirs.push(peer_once(args, &redis, &script, batch).await?);
            }
        }
        let pairs = ours.iter().zip(&theirs);
        let ratios: Vec<f64> = pairs.map(|(a, b)| a.messages_per_s / b.messages_per_s).collect();
        table.rows.push(row(batch, "functions", &ours, Some(&ratios)));
        table.rows.push(row(batch, "BullMQ", &theirs, None));
        if batch == BATCHES[1] && !ratios.is_empty() {
            table.note(crate::measure::verdict(
                "functions / BullMQ",
                median(ratios.iter().copied()),
                GOAL,
            ));
        }
    }
    table.note(
        "Latencies are of one batch that is sent (`addBulk`). server MiB, to Redis: the most \
         memory (BullMQ: RSS) and the most connections.",
    );
    table.note(
        "A message has about 100 bytes of JSON. BullMQ's client is its server; jobs are removed \
         when they are done.",
    );
    Ok(vec![table])
}

fn row(batch: usize, who: &str, samples: &[Sample], ratios: Option<&[f64]>) -> Vec<Cell> {
    let cell = |value: fn(&Sample) -> f64, decimals| match samples {
        [] => Cell::Nothing,
        _ => Cell::Number(median(samples.iter().map(value)), decimals),
    };
    let most = |value: fn(&Sample) -> Option<f64>| {
        let most = samples.iter().filter_map(value).reduce(f64::max);
        most.map_or(Cell::Nothing, |most| Cell::Number(most, 0))
    };
    vec![
        Cell::Number(batch as f64, 0),
        Cell::text(who),
        cell(|sample| sample.messages_per_s, 0),
        cell(|sample| sample.send_ms[0], 2),
        cell(|sample| sample.send_ms[1], 2),
        most(|sample| Some(sample.send_ms[2])),
        cell(|sample| sample.server_us, 1),
        cell(|sample| sample.redis_us, 1),
        cell(|sample| sample.client_us, 1),
        most(|sample| sample.memory_mib),
        most(|sample| sample.redis_connections.map(|count| count as f64)),
        ratios
            .filter(|ratios| !ratios.is_empty())
            .map_or(Cell::Nothing, |ratios| Cell::Number(median(ratios.iter().copied()), 2)),
    ]
}

async fn functions_once(
    args: &Args,
    redis: &RedisServer,
    functions: &Functions,
    batch: usize,
) -> Result<Sample> {
    let (done, is_running) = (AtomicU64::new(0), AtomicBool::new(true));
    let send_us = Mutex::new(Vec::new());
    let workers = (0..WORKERS).map(|_| work(functions, batch, &done, &is_running, &send_us));
    let pids = [functions.pid(), redis.pid(), std::process::id()];
    let measured = Pids { server: pids[0], redis: pids[1], database: None };
    let measuring = async {
        tokio::time::sleep(WARM_UP).await;
        let (count, begun) = (done.load(Ordering::Relaxed), Instant::now());
        let before = cpu::of_processes(pids);
        drop(taken(&send_us));
        let held = watch(&measured, args.seconds).await;
        let after = cpu::of_processes(pids);
        let count = done.load(Ordering::Relaxed) - count;
        let took = begun.elapsed();
        is_running.store(false, Ordering::Relaxed);
        let us = |at: usize| (after[at] - before[at]).as_secs_f64() * 1e6 / count as f64;
        let mut send_us = taken(&send_us);
        send_us.sort_unstable();
        Sample {
            messages_per_s: count as f64 / took.as_secs_f64(),
            send_ms: [50.0, 99.0, 100.0]
                .map(|percent| f64::from(percentile(&send_us, percent)) / 1000.0),
            memory_mib: held.memory_mib,
            redis_connections: Some(held.redis_connections),
            server_us: us(0),
            redis_us: us(1),
            client_us: us(2),
        }
    };
    let (sample, outcomes) = tokio::join!(measuring, futures_util::future::join_all(workers));
    outcomes.into_iter().collect::<Result<Vec<()>>>()?;
    ensure!(sample.messages_per_s > 0.0, "no message was processed");
    Ok(sample)
}

fn taken(all: &Mutex<Vec<u32>>) -> Vec<u32> {
    std::mem::take(&mut all.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Sends, receives and acknowledges one batch after the other.
async fn work(
    functions: &Functions,
    batch: usize,
    done: &AtomicU64,
    is_running: &AtomicBool,
    send_us: &Mutex<Vec<u32>>,
) -> Result<()> {
    let token = token("a worker", "queues:write");
    let message = json!({"orderId": 100_000, "carrier": "post", "note": "x".repeat(60)});
    let send = json!({"messages": vec![message; batch]}).to_string();
    let receive = json!({"max": batch}).to_string();
    let call = async |what: &str, body: String| {
        let target = format!("/queues/bench/{what}");
        functions.post(&target, body).token(&token).send().await.expect(200)
    };
    while is_running.load(Ordering::Relaxed) {
        let begun = Instant::now();
        call("messages", send.clone()).await;
        let took = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
        send_us.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        let answer = call("receive", receive.clone()).await.json();
        let messages = answer["messages"].as_array().context("messages")?;
        let receipts: Vec<&Value> = messages.iter().map(|message| &message["receipt"]).collect();
        if receipts.is_empty() {
            continue;
        }
        let answer = call("ack", json!({"receipts": receipts}).to_string()).await.json();
        let acknowledged = answer["done"].as_array().map_or(0, Vec::len);
        ensure!(acknowledged == receipts.len(), "a receipt was stale: {answer}");
        done.fetch_add(acknowledged as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn peer_once(
    args: &Args,
    redis: &RedisServer,
    script: &std::path::Path,
    batch: usize,
) -> Result<Sample> {
    let port = redis.port().to_string();
    let seconds = args.seconds.as_secs_f64().to_string();
    let before = cpu::of_processes([redis.pid()]);
    let mut command = Command::new("node");
    command.arg(script).args([&port, &batch.to_string(), &WORKERS.to_string(), &seconds]);
    let output = process::run(command, PEER_LIMIT + args.seconds).await;
    let after = cpu::of_processes([redis.pid()]);
    ensure!(output.status.success(), "the peer ended with {}", output.status);
    let told: Value = serde_json::from_slice(&output.stdout).context("the peer's output")?;
    let number = |name: &str| told[name].as_f64().with_context(|| name.to_owned());
    let (done, took) = (number("done")?, number("seconds")?);
    // Includes the commands of its warm-up in Redis, so this is an upper bound.
    let redis_us = (after[0] - before[0]).as_secs_f64() * 1e6 / done;
    let server_us = number("cpuSeconds")? * 1e6 / done;
    let mut send_ms = [0.0; 3];
    for (at, ms) in send_ms.iter_mut().enumerate() {
        *ms = told["sendMs"][at].as_f64().context("sendMs")?;
    }
    let memory_mib = told["memoryMib"].as_f64();
    let messages_per_s = done / took;
    let (redis_connections, client_us) = (None, 0.0);
    Ok(Sample {
        messages_per_s,
        send_ms,
        memory_mib,
        redis_connections,
        server_us,
        redis_us,
        client_us,
    })
}
