//! Every redirection and refusal of a cluster, seen by a hub that goes on.

use std::time::Duration;

use shared::cluster::slot_of;
use support::{RedisCluster, RedisServer};

use super::{cluster, companion, connect_at, create, feed, hub, push};
use crate::support::{Options, eventually_within};

/// How often a node answered with this error.
async fn errors(node: &RedisServer, code: &str) -> u64 {
    let stats: String = node.run("INFO errorstats").await;
    let start = format!("errorstat_{code}:count=");
    let line = stats.lines().find_map(|line| line.strip_prefix(start.as_str()));
    line.map_or(0, |count| count.trim().parse().unwrap())
}

/// The master that has the user's feed, and another one.
async fn ends<'a>(cluster: &'a RedisCluster, user: &str) -> (&'a RedisServer, &'a RedisServer) {
    let source = cluster.owner_of(&feed(user)).await;
    let masters = cluster.masters().await;
    let target = masters.into_iter().find(|master| master.port() != source.port());
    (source, target.unwrap())
}

fn slot(user: &str) -> u16 {
    slot_of(&feed(user))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_slot_is_followed_and_remembered() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    push(&cluster, "alice", 1).await;
    // The hub may read the map before it needs the slot: then it is not redirected.
    let mut client = connect_at(&hub, "alice", 1).await;
    eventually_within(Duration::from_secs(60), "the hub is redirected", async || {
        let (source, target) = ends(&cluster, "alice").await;
        let before = errors(source, "MOVED").await;
        cluster.reshard([slot("alice")], target).await;
        connect_at(&hub, "alice", 1).await;
        (errors(source, "MOVED").await > before).then_some(())
    })
    .await;
    let second = create(&cluster, "alice", 2).await;
    assert_eq!(client.notification().await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_is_at_the_target_of_a_moving_slot_is_asked_for_there() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let first = push(&cluster, "alice", 1).await;
    let second = push(&cluster, "alice", 2).await;
    let (source, target) = ends(&cluster, "alice").await;
    let migration = cluster.migrate(slot("alice"), target).await;
    migration.move_keys().await;
    let mut client = connect_at(&hub, "alice", 2).await;
    assert!(errors(source, "ASK").await > 0);
    // The feed is read in a transaction.
    let mut resumed = hub.resume("alice", "?since=seq:0&epoch=e1", "bellwire.v1").await;
    assert!(resumed.welcome().await.contains(r#""seq":2"#));
    assert_eq!([resumed.notification().await, resumed.notification().await], [first, second]);
    migration.finish().await;
    let third = create(&cluster, "alice", 3).await;
    assert_eq!(client.notification().await, third);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_whose_keys_are_apart_is_waited_for() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let first = push(&cluster, "alice", 1).await;
    let (source, target) = ends(&cluster, "alice").await;
    for is_list_first in [true, false] {
        let migration = cluster.migrate(slot("alice"), target).await;
        let early = if is_list_first { feed("alice") } else { companion("alice") };
        migration.move_some(&[&early]).await;
        let before = errors(source, "TRYAGAIN").await + errors(target, "TRYAGAIN").await;
        let resuming = async {
            let mut client = hub.resume("alice", "?since=seq:0&epoch=e1", "bellwire.v1").await;
            assert!(client.welcome().await.contains(r#""seq":1"#));
            assert_eq!(client.notification().await, first);
        };
        let moving = async {
            eventually_within(Duration::from_secs(10), "the hub tries again", async || {
                let now = errors(source, "TRYAGAIN").await + errors(target, "TRYAGAIN").await;
                (now > before).then_some(())
            })
            .await;
            migration.move_keys().await;
            migration.finish().await;
        };
        tokio::join!(resuming, moving);
        cluster.reshard([slot("alice")], source).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_nobody_serves_for_a_moment_is_waited_for() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    push(&cluster, "alice", 1).await;
    let (source, _) = ends(&cluster, "alice").await;
    let number = slot("alice").to_string();
    source.command(&["CLUSTER", "DELSLOTS", &number]).await;
    let connecting = connect_at(&hub, "alice", 1);
    let repairing = async {
        eventually_within(Duration::from_secs(10), "the hub tries again", async || {
            (errors(source, "CLUSTERDOWN").await > 1).then_some(())
        })
        .await;
        source.command(&["CLUSTER", "ADDSLOTS", &number]).await;
    };
    tokio::join!(connecting, repairing);
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_served_while_many_slots_move() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let users: Vec<String> = (0..40).map(|number| format!("user-{number}")).collect();
    for user in &users {
        push(&cluster, user, 1).await;
    }
    let masters = cluster.masters().await;
    let moving = async {
        for (number, user) in users.iter().enumerate() {
            cluster.reshard([slot(user)], masters[number % 3]).await;
        }
    };
    let connecting = async {
        for user in users.iter().cycle().take(400) {
            connect_at(&hub, user, 1).await;
        }
    };
    tokio::join!(moving, connecting);
}
