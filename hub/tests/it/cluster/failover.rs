//! Masters that fail: presence is true again, delivery goes on, the relay is called.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{PROMISED, cluster, connect_at, create, feed, hub, push, until_online};
use crate::delivery::relay::{NOTHING, functions, relay_to};
use crate::support::{Hub, Options, eventually_within, until};

/// The key of presence.
const ONLINE: &str = "online_users";

#[tokio::test(flavor = "multi_thread")]
async fn presence_is_true_after_its_slot_moved_and_its_master_was_replaced() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let _alice = connect_at_empty(&hub, "alice").await;
    until_online(&cluster, &["alice"]).await;

    // The slot moves.
    let (owner, masters) = (cluster.owner_of(ONLINE).await.port(), cluster.masters().await);
    let other = masters.into_iter().find(|master| master.port() != owner).unwrap();
    cluster.reshard([shared::cluster::slot_of(ONLINE)], other).await;
    let bob = connect_at_empty(&hub, "bob").await;
    until_online(&cluster, &["alice", "bob"]).await;

    // A replica takes over, with its master's consent.
    let replica = cluster.replica_of(cluster.owner_of(ONLINE).await).await;
    cluster.fail_over_to(replica).await;
    drop(bob);
    let _carol = connect_at_empty(&hub, "carol").await;
    until_online(&cluster, &["alice", "carol"]).await;

    // Its master is killed.
    cluster.settled().await;
    cluster.owner_of(ONLINE).await.kill();
    let _dora = connect_at_empty(&hub, "dora").await;
    until_online(&cluster, &["alice", "carol", "dora"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_master_is_replaced_and_not_believed_when_it_goes_on() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let _alice = connect_at_empty(&hub, "alice").await;
    until_online(&cluster, &["alice"]).await;
    let stopped = cluster.owner_of(ONLINE).await;
    stopped.pause();
    let bob = connect_at_empty(&hub, "bob").await;
    sleep(Duration::from_secs(5)).await;
    stopped.resume();
    until_online(&cluster, &["alice", "bob"]).await;
    drop(bob);
    until_online(&cluster, &["alice"]).await;
    hub.until_ready().await;
    push(&cluster, "carol", 1).await;
    connect_at(&hub, "carol", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_other_masters_go_on_while_one_is_lost_and_readiness_names_it() {
    let cluster = cluster().await;
    let hub = hub(cluster.url(), Options::default()).await;
    let lost = cluster.owner_of(&feed("alice")).await;
    let mut healthy = Vec::new();
    for number in 0..20 {
        let user = format!("user-{number}");
        if cluster.owner_of(&feed(&user)).await.port() != lost.port() {
            push(&cluster, &user, 1).await;
            healthy.push(user);
        }
    }
    cluster.replica_of(lost).await.kill();
    lost.kill();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(4) {
        for user in &healthy {
            let began = Instant::now();
            connect_at(&hub, user, 1).await;
            slowest = slowest.max(began.elapsed());
        }
    }
    assert!(slowest < Duration::from_secs(1), "a socket waited for another master: {slowest:?}");
    eventually_within(Duration::from_secs(40), "readiness names the master", async || {
        let answer = hub.get("/readyz").await;
        let name = format!("Redis at {} has not answered", lost.address());
        (answer.status == 503 && answer.body.contains(&name)).then_some(())
    })
    .await;
    lost.restart().await;
    eventually_within(PROMISED, "the hub is ready again", async || {
        (hub.get("/readyz").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_is_called_after_a_master_lost_its_data_or_was_replaced() {
    let cluster = cluster().await;
    let (url, requests) = functions(&[NOTHING]).await;
    let (relay, _directory) = relay_to(url);
    let hub = hub(cluster.url(), Options { relay, ..Options::default() }).await;
    // Until it is called at intervals only.
    sleep(2 * hub::limits::RELAY_FINAL_AFTER).await;
    let before = requests.lock().len();
    // Faster than the cluster notices, and without its data.
    let master = cluster.owner_of(&feed("alice")).await;
    master.kill();
    master.restart().await;
    until("the relay is called", async || requests.lock().len() > before).await;

    cluster.settled().await;
    sleep(2 * hub::limits::RELAY_FINAL_AFTER).await;
    let before = requests.lock().len();
    cluster.fail_over_to(cluster.replica_of(master).await).await;
    until("the relay is called again", async || requests.lock().len() > before).await;
    let mut client = connect_at_empty(&hub, "alice").await;
    let first = create(&cluster, "alice", 1).await;
    assert_eq!(client.notification().await, first);
}

/// A socket of a user, possibly without a feed, or while their master is being replaced.
async fn connect_at_empty(hub: &Hub, user: &str) -> crate::support::Client {
    hub.connect_v1(user).await.0
}
