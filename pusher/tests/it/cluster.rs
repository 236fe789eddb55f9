//! The worker on a Redis Cluster and behind Sentinel.

use std::collections::BTreeSet;

use serde_json::json;
use shared::campaign_push::State;
use shared::cluster::slot_of;
use support::push_service::fcm_ok;
use support::{RedisCluster, Sentinel, eventually};

use crate::support::{Others, World};

const CAMPAIGN: &str = "campaign:spring";

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_ends_while_its_slots_move_and_a_replica_takes_over() {
    let world = World::start_on(Others::Cluster(RedisCluster::start().await), |_| fcm_ok()).await;
    let Others::Cluster(cluster) = &world.others else { unreachable!() };
    world.users(1500, json!({"rate": 400, "responses": "all"})).await;
    let _worker = world.worker().await;
    world.until("it is under way", |it| it.sent > 100).await;
    // The campaign, its responses and the index of campaigns go to other masters.
    for key in [CAMPAIGN, "campaign:spring:responses", "bw:pushing"] {
        let owner = cluster.owner_of(key).await.port();
        let masters = cluster.masters().await;
        let target = masters.into_iter().find(|master| master.port() != owner).unwrap();
        cluster.reshard([slot_of(key)], target).await;
    }
    world.until("it goes on", |it| it.sent > 600).await;
    let replica = cluster.replica_of(cluster.owner_of(CAMPAIGN).await).await;
    cluster.fail_over_to(replica).await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed, done.remaining()), (1500, 0, 0));
    let sent = world.sent();
    assert_eq!((sent.len(), sent.iter().collect::<BTreeSet<_>>().len()), (1500, 1500));
    assert_eq!(world.responses().await.len(), 1500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_a_cluster_is_ready_and_answers_test_pushes() {
    let world = World::start_on(Others::Cluster(RedisCluster::start().await), |_| fcm_ok()).await;
    let worker = world.worker().await;
    eventually("the worker is ready", async || (worker.ready().await.0 == 200).then_some(())).await;
    let tests = world.at("bw:push:tests").await;
    tests.command(&["RPUSH", "bw:push:tests", r#"{"nonce":"n1","userId":"a"}"#]).await;
    tests.command(&["EXPIRE", "bw:push:tests", "60"]).await;
    let result = world.at("bw:push:test:n1").await;
    eventually("the result", async || {
        result.run_words::<Option<String>>(&["GET", "bw:push:test:n1"]).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_goes_on_after_sentinel_replaced_the_primary() {
    let world = World::start_on(Others::Sentinel(Sentinel::start().await), |_| fcm_ok()).await;
    let Others::Sentinel(sentinel) = &world.others else { unreachable!() };
    world.users(1500, json!({"rate": 400})).await;
    let worker = world.worker().await;
    world.until("it is under way", |it| it.sent > 100).await;
    let primary = sentinel.primary().await;
    primary.kill();
    sentinel.replaced(primary.port()).await;
    world.until("it is done", |it| it.state == State::Done).await;
    let sent: BTreeSet<String> = world.sent().into_iter().collect();
    assert_eq!(sent.len(), 1500, "everyone got it; some twice, if the replica was behind");
    eventually("the worker is ready", async || (worker.ready().await.0 == 200).then_some(())).await;
}
