//! Starts everything, and runs the load beside the faults: notifications, the relay, the existing
//! service.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use shared::keys::ONLINE_USERS;
use shared::live::Live;
use support::redis_server::{Options, Persistence};
use support::{Gateway, Hub, RedisCluster, RedisServer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Instant, sleep};

use crate::client::{Client, Order, Status, World};
use crate::counts::Counts;
use crate::faults::Scene;
use crate::record::Record;
use crate::store::{Store, Way};
use crate::stream::Kind;

const HUBS: usize = 2;
const MASTERS: usize = 3;
/// Notifications per second, over all users.
const CREATES_PER_S: u64 = 100;
/// The contract's 20 s, with slack for a busy machine.
pub const PRESENCE_DEADLINE: Duration = Duration::from_secs(25);
/// Time until everyone has everything after recovery: a silent subscription is detected within
/// 25 s.
pub const DELIVERY_DEADLINE: Duration = Duration::from_secs(40);

/// A client, with the means to send it orders.
pub struct Handle {
    pub name: String,
    pub user: String,
    pub status: Arc<Status>,
    pub orders: mpsc::UnboundedSender<Order>,
}

/// `live` is the setting of hubs and record. Existing services are there only with one Redis.
pub async fn set_up(
    hub: &Path,
    clients: usize,
    is_cluster: bool,
    live: Live,
) -> Result<(Arc<Scene>, Option<Gateway>)> {
    // The run itself checks for keys without an expiry, among other services' keys.
    let persistence = Persistence::EverySecond;
    let options = Options { persistence, may_leave_keys: true, ..Options::default() };
    let store = if is_cluster {
        Store::Cluster(RedisCluster::start_with(MASTERS, &options).await)
    } else {
        Store::One(Box::new(RedisServer::start_with(options).await))
    };
    let functions = TcpListener::bind(("127.0.0.1", 0)).await?;
    let functions_url = format!("http://{}", functions.local_addr()?);
    let (mut hubs, mut ways) = (Vec::new(), Vec::new());
    for number in 1..=HUBS {
        let way = Way::to(&store).await;
        // For explaining failures: one log file for all runs of this hub.
        let log = format!("chaos-{}-hub-{number}.log", std::process::id());
        let setup = Hub::with(&way.url()).program(hub).relay(&functions_url);
        let setup = setup.arguments(&[&format!("--live={}", live.as_str())]);
        hubs.push(setup.log(std::env::temp_dir().join(log)).start().await);
        ways.push(way);
    }
    let gateway = match &store {
        Store::One(redis) => Some(Gateway::start(redis).await),
        Store::Cluster(_) => None,
    };
    let world = Arc::new(World {
        record: Record::new(store.url(), format!("{:016x}", fastrand::u64(..)), live),
        hubs: hubs.iter().map(|hub| hub.address).collect(),
        counts: Counts::default(),
    });
    tokio::spawn(serve_relay(functions, world.clone()));
    let clients = (0..clients).map(|number| spawn_client(&world, number)).collect();
    let scene = Scene {
        world,
        store: Mutex::new(store),
        hubs: hubs.into_iter().map(Mutex::new).collect(),
        ways,
        clients,
        copy: Mutex::default(),
    };
    Ok((Arc::new(scene), gateway))
}

/// Three clients per user, one of each kind; every fourth user has only one.
fn spawn_client(world: &Arc<World>, number: usize) -> Handle {
    let (group, place) = (number / 10, number % 10);
    let user = format!("user-{group}-{}", place.min(9) / 3);
    let kind = [Kind::V1, Kind::Raw, Kind::Events][number % 3];
    let status = Arc::new(Status::default());
    let (orders, receiver) = mpsc::unbounded_channel();
    let name = format!("{user} ({kind:?} {number})");
    let client = Client {
        name: name.clone(),
        user: user.clone(),
        kind,
        world: world.clone(),
        status: status.clone(),
        orders: receiver,
    };
    tokio::spawn(client.run());
    Handle { name, user, status, orders }
}

/// `POST /admin/relay`, the only function that a hub calls.
async fn serve_relay(listener: TcpListener, world: Arc<World>) {
    while let Ok((mut connection, _)) = listener.accept().await {
        let world = world.clone();
        tokio::spawn(async move {
            let mut head = [0; 4096];
            // The head arrives in one piece: it is a single write over loopback.
            let _ = connection.read(&mut head).await;
            let status = if world.record.relay().await.is_ok() { "200 OK" } else { "503 Away" };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = connection.write_all(answer.as_bytes()).await;
        });
    }
}

/// Creates notifications until stopped.
pub async fn write(scene: Arc<Scene>, stop: Arc<AtomicBool>) {
    let users: Vec<String> = users(&scene).into_iter().collect();
    while !stop.load(Ordering::Relaxed) {
        if let Some(user) = fastrand::choice(&users).cloned() {
            let scene = scene.clone();
            tokio::spawn(async move { create(&scene, &user).await });
        }
        sleep(Duration::from_millis(1_000 / CREATES_PER_S)).await;
    }
}

async fn create(scene: &Scene, user: &str) {
    if let Err(error) = scene.world.record.create(user).await {
        // Redis being down is an intended fault; a rejection by the script is a defect.
        let text = format!("{error:#}");
        if text.contains("feed_push says") {
            scene.world.counts.defect(&scene.world.counts.other_defects, &text);
        }
    }
}

/// Creates one more notification for every user, after which no loss stays hidden.
pub async fn close_books(scene: &Scene) -> Result<()> {
    for user in users(scene) {
        scene.world.record.create(&user).await.context("Redis is well")?;
    }
    Ok(())
}

/// The existing service at work. Its users are ours, too: it removes a user when one of its tabs
/// closes. Panics when the service dies.
pub async fn work(scene: Arc<Scene>, mut gateway: Gateway, stop: Arc<AtomicBool>) {
    let users: Vec<String> = users(&scene).into_iter().collect();
    let mut open = Vec::new();
    let mut n = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let Some(user) = fastrand::choice(&users) else { break };
        match fastrand::u32(..8) {
            0 => {
                gateway.attempt(json!(["open", user])).await;
                open.push(user.clone());
            }
            1..=2 if !open.is_empty() => {
                let user = open.swap_remove(fastrand::usize(..open.len()));
                gateway.attempt(json!(["close", user])).await;
            }
            3 => {
                gateway
                    .attempt(json!(["notify", {"userId": user, "id": n, "text": "theirs"}]))
                    .await;
            }
            4 => {
                gateway.attempt(json!(["feed", user])).await;
            }
            5 => {
                gateway.attempt(json!(["push", "notification:responses", {"n": n}])).await;
            }
            6 => {
                gateway.attempt(json!(["pop", "notification:responses"])).await;
            }
            _ => {
                gateway.attempt(json!(["cache", "settings", {"n": n}, 60])).await;
                gateway.attempt(json!(["cached", "settings"])).await;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    for user in open {
        // While Redis is down the set stays unchanged, as with the real service.
        while gateway.attempt(json!(["close", user])).await.is_none() {
            sleep(Duration::from_millis(200)).await;
        }
    }
}

fn users(scene: &Scene) -> BTreeSet<String> {
    scene.clients.iter().map(|client| client.user.clone()).collect()
}

/// Waits until every client has everything that exists now; returns the time, or the incomplete
/// clients.
pub async fn delivered(scene: &Scene) -> Result<Duration, Vec<String>> {
    let (start, goal) = (Instant::now(), scene.world.record.heads());
    loop {
        let behind = scene.clients.iter().filter(|client| {
            let goal = goal.get(&client.user).copied().unwrap_or_default();
            !client.status.is_connected.load(Ordering::SeqCst)
                || client.status.have.load(Ordering::SeqCst) < goal
        });
        let behind: Vec<String> = behind
            .map(|client| {
                let (have, goal) =
                    (client.status.have.load(Ordering::SeqCst), goal.get(&client.user));
                let is_connected = client.status.is_connected.load(Ordering::SeqCst);
                format!("{} has {have} of {goal:?}, connected: {is_connected}", client.name)
            })
            .collect();
        if behind.is_empty() {
            return Ok(start.elapsed());
        }
        if start.elapsed() > DELIVERY_DEADLINE {
            return Err(behind);
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until exactly the connected users are online; returns the time, or the wrong users.
pub async fn present(scene: &Scene) -> Result<Duration, Vec<String>> {
    let start = Instant::now();
    loop {
        let expected: BTreeSet<String> = scene
            .clients
            .iter()
            .filter(|client| client.status.is_connected.load(Ordering::SeqCst))
            .map(|client| client.user.clone())
            .collect();
        let wrong = match online(scene).await {
            Ok(online) => online.symmetric_difference(&expected).cloned().collect(),
            Err(error) => vec![format!("{error:#}")],
        };
        if wrong.is_empty() {
            return Ok(start.elapsed());
        }
        if start.elapsed() > PRESENCE_DEADLINE {
            return Err(wrong);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn online(scene: &Scene) -> Result<BTreeSet<String>> {
    let record = &scene.world.record;
    let mut connection = record.connection().await?;
    let mut members = redis::cmd("SMEMBERS");
    members.arg(ONLINE_USERS);
    let answer = connection.run(&members).await;
    record.answered(answer).await
}

/// Keys of ours without an expiry.
pub async fn keys_without_expiry(scene: &Scene) -> Result<Vec<String>> {
    let store = scene.store.lock().await;
    let mut found = Vec::new();
    for master in store.masters().await {
        let mut connection = master.connection().await;
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg("bw:*").arg("COUNT").arg(1_000);
            let (next, keys): (u64, Vec<String>) = scan.query_async(&mut connection).await?;
            for key in keys {
                let ttl: i64 = redis::cmd("TTL").arg(&key).query_async(&mut connection).await?;
                if ttl == -1 {
                    found.push(key);
                }
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
    }
    Ok(found)
}
