//! Users' own channels on a Redis Cluster whose slots move and whose masters fail: no socket misses
//! or doubles a notification.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::support::hub::Hub;
use ::support::redis_server::Options;
use ::support::{RedisCluster, eventually_within, ports};
use futures_util::future::join_all;
use shared::UserId;
use shared::cluster::slot_of;
use shared::keys;
use tokio::time::sleep;

use super::crowd::{Member, reach};
use super::publisher::Publisher;
use crate::support::program::Program;
use crate::support::{Client, request, token};

/// Nodes of a cluster on a busy machine may take many rounds until they have replaced a master, and
/// frames arrive after that. No passing test depends on it.
const LIMIT: Duration = Duration::from_secs(90);
const MOVED: &str = "channel_joins_total{cause=\"moved\"}";
const CLOSED: &str = "channel_joins_total{cause=\"closed\"}";

struct Stage {
    cluster: RedisCluster,
    hub: Program,
    metrics_port: u16,
    users: Vec<UserId>,
}

impl Stage {
    /// A hub on a cluster, with sockets of `count` users.
    async fn set(count: usize) -> (Self, Vec<Member>) {
        let options = Options { may_leave_keys: true, ..Options::default() };
        let cluster = RedisCluster::start_with(3, &options).await;
        let metrics_port = ports::free();
        let metrics = format!("--metrics-listen=127.0.0.1:{metrics_port}");
        let setup = Hub::with(&cluster.url());
        let hub =
            Program::start_with(setup.arguments(&["--live=own", "--log=warn", &metrics])).await;
        hub.ready().await;
        let address = hub.address();
        let names: Vec<String> = (0..count).map(|n| format!("u{n}")).collect();
        let connecting = names.iter().map(|name| async move {
            let client = Client::connect(address, &token(name), Some("bellwire.v1")).await;
            Member::new(name.clone(), client.unwrap().patience(LIMIT)).await
        });
        let crowd = join_all(connecting).await;
        let users = names.iter().map(|name| UserId::parse(name).unwrap()).collect();
        (Self { cluster, hub, metrics_port, users }, crowd)
    }

    /// Creates notifications for everybody during `fault`, and some more; all of them arrive.
    async fn during(&self, crowd: &mut [Member], fault: impl Future<Output = ()>) {
        let publisher = Publisher::new(&self.cluster);
        let is_over = AtomicBool::new(false);
        let first = crowd[0].seq;
        let creating = async {
            let mut seq = first;
            let mut left = 3;
            while left > 0 {
                left -= i64::from(is_over.load(Ordering::SeqCst));
                seq += 1;
                for page in self.users.chunks(50) {
                    join_all(page.iter().map(|user| publisher.create(user, seq))).await;
                }
                reach(crowd, seq).await;
            }
            seq
        };
        let fault = async {
            sleep(Duration::from_millis(300)).await;
            fault.await;
            is_over.store(true, Ordering::SeqCst);
        };
        let start = Instant::now();
        let (last, ()) = tokio::join!(creating, fault);
        eprintln!("{:>6.2} s  {} notifications each", start.elapsed().as_secs_f64(), last - first);
        self.hub.ready().await;
    }

    async fn metric(&self, name: &str) -> f64 {
        let address = ([127, 0, 0, 1], self.metrics_port).into();
        let page = request(address, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await.body;
        let value = page.lines().find_map(|line| {
            line.strip_prefix("bellwire_hub_")?.strip_prefix(name)?.strip_prefix(' ')
        });
        value.unwrap_or_else(|| panic!("{name}\n{page}")).parse().unwrap()
    }

    /// Every channel is subscribed once, at the master of its slot, as soon as all are settled.
    async fn check_channels(&self) {
        eventually_within(LIMIT, "a channel for each user", async || {
            let mut count = 0;
            for master in self.cluster.masters().await {
                let channels: Vec<String> = master.run("PUBSUB SHARDCHANNELS bw:live:*").await;
                count += channels.len();
            }
            (count == self.users.len()).then_some(())
        })
        .await;
        assert_eq!(self.metric("channels").await, self.users.len() as f64);
        assert_eq!(self.metric("undelivered_total{reason=\"not_here\"}").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slots_that_move_and_a_manual_failover_lose_and_double_nothing() {
    let (stage, mut crowd) = Stage::set(150).await;
    let cluster = &stage.cluster;
    stage
        .during(&mut crowd, async {
            let masters = cluster.masters().await;
            for (at, target) in masters.iter().enumerate() {
                let users = stage.users.iter().skip(at).step_by(3);
                let mut slots: Vec<u16> = users.map(|user| slot_of(&keys::feed(user))).collect();
                let others = (0..50).map(|n| n * 320 + at as u16);
                slots.extend(others);
                cluster.reshard(slots, target).await;
            }
        })
        .await;
    let moved = stage.metric(MOVED).await;
    assert!(moved >= 50.0, "{moved}");
    stage.check_channels().await;
    stage
        .during(&mut crowd, async {
            let master = cluster.masters().await[0];
            let replica = cluster.replica_of(master).await;
            cluster.fail_over_to(replica).await;
            cluster.settled().await;
        })
        .await;
    assert!(stage.metric(MOVED).await >= moved + 20.0);
    stage.check_channels().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_master_and_a_silent_one_lose_and_double_nothing() {
    let (stage, mut crowd) = Stage::set(90).await;
    let cluster = &stage.cluster;
    let killed = cluster.masters().await[0];
    stage
        .during(&mut crowd, async {
            killed.kill();
            // Until its replica is a master.
            cluster.owner_of_slot(0).await;
        })
        .await;
    assert!(stage.metric(CLOSED).await >= 10.0);
    killed.restart().await;
    cluster.settled().await;
    let silent = *cluster.masters().await.last().unwrap();
    let replica = cluster.replica_of(silent).await;
    let (closed, moved) = (stage.metric(CLOSED).await, stage.metric(MOVED).await);
    stage
        .during(&mut crowd, async {
            silent.pause();
            eventually_within(LIMIT, "a failover", async || {
                let info: String = replica.run("INFO replication").await;
                info.contains("role:master").then_some(())
            })
            .await;
        })
        .await;
    // The map showed it, long before two probes of 10 s were missed, which close the connection.
    assert_eq!(stage.metric(CLOSED).await, closed);
    assert!(stage.metric(MOVED).await >= moved + 10.0);
    silent.resume();
    cluster.settled().await;
    stage.during(&mut crowd, async {}).await;
    stage.check_channels().await;
}
