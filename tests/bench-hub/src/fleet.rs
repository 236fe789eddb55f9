//! Fleets: several hubs, each with users of its own, and what a message costs all of them together,
//! by the channels that they hear.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use support::stats::{median, percentile};
use support::table::{Cell, Table};
use support::{RedisServer, cpu};

use crate::audience::write_heads;
use crate::cli::{Args, Kind};
use crate::crowd::{Crowd, Seen};
use crate::gateway::{Gateway, Programs};
use crate::publisher::{Pace, Publisher};
use crate::wire::Wire;

const SIZES: [usize; 3] = [1, 5, 20];
const MODES: [Kind; 3] = [Kind::Hub, Kind::HubOwn, Kind::HubBridge];
/// Users of each hub. Their number hardly matters: messages are counted, not sockets.
const USERS_PER_HUB: usize = 50;
const OPEN_LIMIT: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(2);
/// After this time without a delivery the remaining messages count as lost.
const STALL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// The results of one fleet under the given rate.
struct Sample {
    /// CPU time of one hub per second, in milliseconds, of messages for the fleet's users.
    hub_ms_per_s: f64,
    /// CPU time of all hubs for a message that one of them delivers, in microseconds.
    delivered_us: f64,
    /// CPU time of one hub for a message to a user whom no hub has, in microseconds.
    foreign_us: f64,
    redis_us: f64,
    p50_ms: f64,
    p99_ms: f64,
    lost: u64,
}

/// The table of all fleets: medians of the rounds.
pub async fn measure(args: &Args, programs: &Programs) -> Result<Table> {
    let title = format!("Fleets at {} messages/s", args.rate);
    let columns = &[
        "channels, hubs",
        "one hub, CPU ms/s",
        "all hubs, µs per delivered message",
        "one hub, µs per foreign message",
        "Redis, µs per message",
        "p50 ms",
        "p99 ms",
        "lost",
    ];
    let mut table = Table::new(title, columns);
    for mode in MODES {
        for size in SIZES {
            let mut samples = Vec::new();
            for round in 0..args.rounds {
                let turn = format!("fleet-{}-{size}-{round}", mode.live().as_str());
                samples.push(run(args, programs, mode, size, &turn).await?);
            }
            let of = |read: fn(&Sample) -> f64| median(samples.iter().map(read));
            table.rows.push(vec![
                Cell::text(format!("{}, {size}", mode.live().as_str())),
                Cell::Number(of(|s| s.hub_ms_per_s), 1),
                Cell::Number(of(|s| s.delivered_us), 1),
                Cell::Number(of(|s| s.foreign_us), 2),
                Cell::Number(of(|s| s.redis_us), 1),
                Cell::Number(of(|s| s.p50_ms), 2),
                Cell::Number(of(|s| s.p99_ms), 2),
                Cell::Number(samples.iter().map(|s| s.lost as f64).sum(), 0),
            ]);
            eprintln!("{} with {size} hubs: done", mode.live().as_str());
        }
    }
    table.note(
        "Each message is for one user of one hub; foreign ones are for users without a socket. CPU \
         time of hubs above what they use when nothing is published.",
    );
    Ok(table)
}

async fn run(
    args: &Args,
    programs: &Programs,
    mode: Kind,
    size: usize,
    turn: &str,
) -> Result<Sample> {
    let redis = RedisServer::start().await;
    let mut hubs = Vec::new();
    for _ in 0..size {
        hubs.push(Gateway::start(programs, mode, &redis).await?);
    }
    let names = |prefix: &str, count: usize| -> Arc<Vec<String>> {
        Arc::new((0..count).map(|at| format!("{prefix}-{at:05}")).collect())
    };
    let here = names("here", size * USERS_PER_HUB);
    write_heads(&redis, &here, turn, &vec![0; here.len()]).await?;
    let begun = Instant::now();
    let mut crowds = Vec::new();
    for (hub, users) in hubs.iter().zip(here.chunks(USERS_PER_HUB)) {
        let requests = users.iter().map(|user| hub.handshake(user)).collect();
        crowds.push(Crowd::start(hub.address, requests, begun)?);
    }
    for crowd in &mut crowds {
        crowd.opened(USERS_PER_HUB, OPEN_LIMIT).await?;
    }
    let wire = Wire::Redis { address: redis.address(), live: mode.live(), is_one_hearer: false };
    let connect =
        |users: &Arc<Vec<String>>| Publisher::connect(wire.clone(), Arc::clone(users), turn, begun);
    let mut publisher = connect(&here)?.in_crowds_of(USERS_PER_HUB);
    let mut elsewhere = connect(&names("away", 1_000))?;
    tokio::time::sleep(SETTLE).await;

    let pace = Pace::Steady(args.rate);
    let nobody = Seen::default();
    let idle = server_cpu(&hubs);
    tokio::time::sleep(args.seconds).await;
    let idle = server_cpu(&hubs).saturating_sub(idle).as_secs_f64() / args.seconds.as_secs_f64();

    let before = (server_cpu(&hubs), redis_cpu(&redis), Instant::now());
    let burst = tokio::task::block_in_place(|| publisher.run(pace, args.seconds, &nobody))?;
    let count = delivered(&crowds, burst.sent).await?;
    let took = before.2.elapsed().as_secs_f64();
    ensure!(count > 0, "no message was delivered");
    let load = server_cpu(&hubs).saturating_sub(before.0).as_secs_f64() - idle * took;
    let redis_us = redis_cpu(&redis).saturating_sub(before.1).as_secs_f64() * 1e6;

    let before = (server_cpu(&hubs), Instant::now());
    let foreign = tokio::task::block_in_place(|| elsewhere.run(pace, args.seconds, &nobody))?;
    tokio::time::sleep(SETTLE).await;
    let foreign_load = server_cpu(&hubs).saturating_sub(before.0).as_secs_f64()
        - idle * before.1.elapsed().as_secs_f64();

    let mut latencies: Vec<u32> = crowds.iter().flat_map(|crowd| crowd.seen.latencies()).collect();
    latencies.sort_unstable();
    let ms = |percent| f64::from(percentile(&latencies, percent)) / 1000.0;
    Ok(Sample {
        hub_ms_per_s: load * 1e3 / size as f64 / burst.took.as_secs_f64(),
        delivered_us: load * 1e6 / count as f64,
        foreign_us: (foreign_load * 1e6 / foreign.sent as f64 / size as f64).max(0.0),
        redis_us: redis_us / burst.sent as f64,
        p50_ms: ms(50.0),
        p99_ms: ms(99.0),
        lost: burst.sent.saturating_sub(count),
    })
}

/// Waits until `sent` messages are delivered, or no more arrive; returns their number.
async fn delivered(crowds: &[Crowd], sent: u64) -> Result<u64> {
    let count = || crowds.iter().map(|crowd| crowd.seen.delivered.load(Ordering::Relaxed)).sum();
    let mut progress: (u64, Instant) = (count(), Instant::now());
    while progress.0 < sent && progress.1.elapsed() < STALL {
        tokio::time::sleep(POLL).await;
        let now = count();
        if now > progress.0 {
            progress = (now, Instant::now());
        }
    }
    for crowd in crowds {
        let (doubled, astray) = (&crowd.seen.doubled, &crowd.seen.astray);
        let (doubled, astray) = (doubled.load(Ordering::Relaxed), astray.load(Ordering::Relaxed));
        ensure!(doubled + astray == 0, "{doubled} messages doubled, {astray} of another user");
    }
    Ok(progress.0)
}

fn server_cpu(hubs: &[Gateway]) -> Duration {
    hubs.iter().map(|hub| cpu::of_processes([hub.pid()])[0]).sum()
}

fn redis_cpu(redis: &RedisServer) -> Duration {
    cpu::of_processes([redis.pid()])[0]
}
