//! The chaos run: `make chaos`. Two hubs, a Redis with an append-only file (or a Redis Cluster), an
//! existing service and some hundred clients that check themselves, under random faults for a bounded time. It ends with
//! the counts, and with an error if a message was lost, doubled or late.

mod client;
mod counts;
mod faults;
mod record;
mod stage;
mod store;
mod stream;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;
use futures_util::future::join_all;
use shared::live::Live;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::client::Order;
use crate::faults::{Fault, Scene};
use crate::store::Store;

/// Mixes faults and checks that nothing is lost or doubled.
#[derive(Parser)]
struct Args {
    /// How long faults happen; the end of the run takes up to 1 minute more.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Determines the faults and their order. Timing differs, so a run is not repeated exactly.
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, default_value_t = 300)]
    clients: usize,
    /// A Redis Cluster of six nodes instead of one Redis; without the existing service.
    #[arg(long)]
    cluster: bool,
    /// On which channels notifications are published and heard: all, bridge or own.
    #[arg(long, default_value = "all", value_parser = |text: &str| Live::parse(text).ok_or("all, bridge or own"))]
    live: Live,
    /// The hub's program; the default lies beside this one.
    #[arg(long)]
    hub: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000));
    // The random numbers of this thread, which chooses the faults.
    fastrand::seed(seed);
    let hub = match args.hub {
        Some(hub) => hub,
        None => std::env::current_exe()?.with_file_name("bellwire-hub"),
    };
    let where_to = if args.cluster { " on a cluster" } else { "" };
    let live = args.live.as_str();
    say(&format!("Chaos{where_to} for {} s with seed {seed}, live = {live}\n", args.seconds))?;
    let (scene, gateway) = stage::set_up(&hub, args.clients, args.cluster, args.live).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let stop_service = Arc::new(AtomicBool::new(false));
    let writing = tokio::spawn(stage::write(scene.clone(), stop.clone()));
    let service = gateway
        .map(|gateway| tokio::spawn(stage::work(scene.clone(), gateway, stop_service.clone())));
    settled(&scene, &[], None).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(args.seconds) {
        round(&scene).await?;
        if service.as_ref().is_some_and(JoinHandle::is_finished) {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    stop_service.store(true, Ordering::Relaxed);
    writing.await?;
    // The run fails if the existing service fails: it must survive everything.
    if let Some(service) = service {
        service.await?;
    }
    end(&scene).await?;
    let counts = &scene.world.counts;
    say(&counts.text(scene.world.record.created()))?;
    if !counts.is_clean() {
        for hub in &scene.hubs {
            eprintln!("a hub's log: {}", hub.lock().await.log().unwrap_or(Path::new("")).display());
        }
        bail!("the run with seed {seed} is not clean");
    }
    for hub in &scene.hubs {
        if let Some(log) = hub.lock().await.log() {
            let _ = std::fs::remove_file(log);
        }
    }
    Ok(())
}

/// Runs one to three faults at once, then waits for recovery.
async fn round(scene: &Scene) -> Result<()> {
    let possible = faults::possible(&*scene.store.lock().await);
    let mut faults: Vec<Fault> =
        (0..fastrand::usize(1..=3)).filter_map(|_| fastrand::choice(&possible).copied()).collect();
    faults.dedup();
    eprintln!("{}", faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(" + "));
    if fastrand::bool()
        && let Store::One(redis) = &*scene.store.lock().await
    {
        *scene.copy.lock().await = Some(redis.copy_files());
    }
    let waits: Vec<u64> = faults.iter().map(|_| fastrand::u64(..1_500)).collect();
    let happening = faults.iter().zip(waits).map(|(fault, wait)| async move {
        sleep(Duration::from_millis(wait)).await;
        fault.happen(scene).await
    });
    join_all(happening).await;
    settled(scene, &faults, Some(Instant::now())).await;
    for hub in &scene.hubs {
        if hub.lock().await.has_ended() {
            bail!("a hub died by itself");
        }
    }
    sleep(Duration::from_millis(fastrand::u64(..1_000))).await;
    Ok(())
}

/// Waits for recovery, within its deadline.
async fn settled(scene: &Scene, faults: &[Fault], since: Option<Instant>) {
    let counts = &scene.world.counts;
    let (delivery, presence) = tokio::join!(stage::delivered(scene), stage::present(scene));
    let times = match (delivery, presence) {
        (Ok(delivery), Ok(presence)) => (delivery, presence),
        (delivery, presence) => {
            for text in delivery.err().into_iter().flatten() {
                counts.defect(&counts.lost, &format!("not delivered in time: {text}"));
            }
            for user in presence.err().into_iter().flatten() {
                counts.defect(&counts.other_defects, &format!("presence is wrong: {user}"));
            }
            return;
        }
    };
    let name = match faults {
        _ if since.is_none() => "start",
        [one] => one.name(),
        _ => "several at once",
    };
    eprintln!(
        "    all delivered after {:.1} s, presence right after {:.1} s",
        times.0.as_secs_f64(),
        times.1.as_secs_f64()
    );
    counts.recovered(name, times.0, times.1);
}

/// After recovery everyone has everything, disconnected users are offline, and every key of ours
/// expires.
async fn end(scene: &Scene) -> Result<()> {
    let counts = &scene.world.counts;
    stage::close_books(scene).await?;
    settled(scene, &[], None).await;
    for client in scene.clients.iter().step_by(2) {
        let _ = client.orders.send(Order::Vanish(Duration::from_secs(3600)));
    }
    for client in scene.clients.iter().step_by(2) {
        while client.status.is_connected.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(10)).await;
        }
    }
    if let Err(users) = stage::present(scene).await {
        counts.defect(&counts.other_defects, &format!("presence at the end is wrong: {users:?}"));
    }
    for key in stage::keys_without_expiry(scene).await? {
        counts.defect(&counts.other_defects, &format!("no expiry: {key}"));
    }
    Ok(())
}

fn say(text: &str) -> Result<()> {
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
