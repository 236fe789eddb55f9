//! The faults. Each is repaired before it returns; several run at once.

mod redis;

use std::sync::Arc;
use std::time::Duration;

use support::{Hub, Proxy};
use tempfile::TempDir;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::client::{Order, World};
use crate::stage::Handle;
use crate::store::{Store, Way};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    RedisKilled,
    RedisPaused,
    RedisEmpty,
    RedisOlder,
    RedisFlushed,
    SubscriptionsCut,
    ConnectionsCut,
    RedisSlow,
    HubBlackholed,
    HubPartitioned,
    HubKilled,
    AllHubsKilled,
    HubDrained,
    ReconnectsAtOnce,
    ClientsStall,
    ClientsVanish,
    MasterKilled,
    MasterPaused,
    MasterFlushed,
    MasterReplaced,
    SlotsMoved,
    SlotsLost,
}

/// What can happen with one Redis.
const OF_ONE: &[Fault] = &[
    Fault::RedisKilled,
    Fault::RedisPaused,
    Fault::RedisEmpty,
    Fault::RedisOlder,
    Fault::RedisFlushed,
];

/// What can happen with a Redis Cluster.
const OF_CLUSTER: &[Fault] = &[
    Fault::MasterKilled,
    Fault::MasterPaused,
    Fault::MasterFlushed,
    Fault::MasterReplaced,
    Fault::SlotsMoved,
    Fault::SlotsLost,
];

/// What can happen with either.
const OF_BOTH: &[Fault] = &[
    Fault::SubscriptionsCut,
    Fault::ConnectionsCut,
    Fault::RedisSlow,
    Fault::HubBlackholed,
    Fault::HubPartitioned,
    Fault::HubKilled,
    Fault::AllHubsKilled,
    Fault::HubDrained,
    Fault::ReconnectsAtOnce,
    Fault::ClientsStall,
    Fault::ClientsVanish,
];

/// What can happen with this store; a seed stands for places in it.
pub fn possible(store: &Store) -> Vec<Fault> {
    let own = match store {
        Store::One(_) => OF_ONE,
        Store::Cluster(_) => OF_CLUSTER,
    };
    [own, OF_BOTH].concat()
}

/// The targets of the faults.
pub struct Scene {
    pub world: Arc<World>,
    // Faults of the same Redis, or of the same hub, run one after the other.
    pub store: Mutex<Store>,
    pub hubs: Vec<Mutex<Hub>>,
    /// Of each hub.
    pub ways: Vec<Way>,
    pub clients: Vec<Handle>,
    pub copy: Mutex<Option<TempDir>>,
}

/// Longest end of a hub after SIGTERM.
const END_LIMIT: Duration = Duration::from_secs(20);

/// Slots that move in one fault: a second or two.
const SLOTS_AT_ONCE: u16 = 500;

fn millis(range: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(fastrand::u64(range))
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Fault::RedisKilled => "Redis killed, with its file",
            Fault::RedisPaused => "Redis paused",
            Fault::RedisEmpty => "failover to an empty Redis",
            Fault::RedisOlder => "failover to an older copy",
            Fault::RedisFlushed => "Redis flushed",
            Fault::SubscriptionsCut => "subscriptions cut",
            Fault::ConnectionsCut => "a hub's connections cut",
            Fault::RedisSlow => "Redis slow for a hub",
            Fault::HubBlackholed => "Redis silent for a hub",
            Fault::HubPartitioned => "Redis silent for all hubs",
            Fault::HubKilled => "hub killed",
            Fault::AllHubsKilled => "all hubs killed",
            Fault::HubDrained => "hub drained",
            Fault::ReconnectsAtOnce => "all reconnect at once",
            Fault::ClientsStall => "clients stop reading",
            Fault::ClientsVanish => "clients vanish",
            Fault::MasterKilled => "a master killed",
            Fault::MasterPaused => "a master paused",
            Fault::MasterFlushed => "a master flushed",
            Fault::MasterReplaced => "a master and its replica change places",
            Fault::SlotsMoved => "slots moved",
            Fault::SlotsLost => "a master and its replica killed",
        }
    }

    pub async fn happen(self, scene: &Scene) {
        let way = fastrand::choice(&scene.ways);
        // With a cluster: the way to one of its nodes.
        let proxy = way.and_then(|way| fastrand::choice(way.proxies()));
        match self {
            Fault::RedisKilled
            | Fault::RedisPaused
            | Fault::RedisEmpty
            | Fault::RedisOlder
            | Fault::RedisFlushed => {
                if let Store::One(redis) = &*scene.store.lock().await {
                    self.befall_redis(redis, scene).await;
                }
            }
            Fault::MasterKilled
            | Fault::MasterPaused
            | Fault::MasterFlushed
            | Fault::MasterReplaced
            | Fault::SlotsMoved
            | Fault::SlotsLost => {
                if let Store::Cluster(cluster) = &*scene.store.lock().await {
                    self.befall_cluster(cluster, scene).await;
                    cluster.settled().await;
                }
            }
            Fault::SubscriptionsCut => {
                for server in scene.store.lock().await.servers() {
                    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                }
            }
            Fault::ConnectionsCut => {
                way.into_iter().flat_map(Way::proxies).for_each(Proxy::disconnect);
            }
            Fault::RedisSlow => {
                let Some(proxy) = proxy else { return };
                let delay = millis(20..500);
                proxy.delay(delay, delay);
                sleep(millis(500..4_000)).await;
                proxy.release();
            }
            Fault::HubBlackholed => {
                let Some(proxy) = proxy else { return };
                proxy.silence();
                sleep(millis(500..9_000)).await;
                proxy.release();
            }
            Fault::HubPartitioned => {
                scene.ways.iter().flat_map(Way::proxies).for_each(Proxy::silence);
                sleep(millis(500..9_000)).await;
                scene.ways.iter().flat_map(Way::proxies).for_each(Proxy::release);
            }
            Fault::HubKilled | Fault::AllHubsKilled | Fault::HubDrained => {
                self.end_hubs(scene).await;
            }
            Fault::ReconnectsAtOnce => order(scene, 1.0, || Order::Vanish(Duration::ZERO)),
            Fault::ClientsStall => {
                order(scene, 0.2, || Order::Stall(millis(1_000..5_000)));
                stuff(scene).await;
            }
            Fault::ClientsVanish => order(scene, 0.4, || Order::Vanish(millis(0..8_000))),
        }
    }

    async fn end_hubs(self, scene: &Scene) {
        let mut hubs = Vec::new();
        for hub in &scene.hubs {
            hubs.push(hub.lock().await);
        }
        let one = fastrand::usize(..hubs.len().max(1));
        for (at, hub) in hubs.iter().enumerate() {
            match self {
                Fault::AllHubsKilled => hub.kill(),
                Fault::HubKilled if at == one => hub.kill(),
                Fault::HubDrained if at == one => {
                    let status = hub.terminate(END_LIMIT).await;
                    assert!(status.success(), "a hub ended with {status}");
                }
                _ => {}
            }
        }
        sleep(millis(0..3_000)).await;
        for (at, hub) in hubs.iter().enumerate() {
            if at == one || self == Fault::AllHubsKilled {
                hub.restart().await;
            }
        }
    }
}

/// Sends orders to some of the clients.
fn order(scene: &Scene, share: f64, order: impl Fn() -> Order) {
    for client in scene.clients.iter().filter(|_| fastrand::f64() < share) {
        let _ = client.orders.send(order());
    }
}

/// Large messages of another service for some users: a client that does not read soon is too slow.
async fn stuff(scene: &Scene) {
    let store = scene.store.lock().await;
    let Store::One(redis) = &*store else { return };
    for client in scene.clients.iter().filter(|_| fastrand::f64() < 0.05) {
        let text = format!(r#"{{"userId":"{}","x":"{}"}}"#, client.user, "x".repeat(60_000));
        let message = format!(r#"{{"notification":{text}}}"#);
        for _ in 0..30 {
            redis.command(&["PUBLISH", "notifications", &message]).await;
        }
    }
}
