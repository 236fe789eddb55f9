//! TLS to the functions and to Redis, with certificates of a private authority.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use shared::campaign_push::State;
use support::push_service::fcm_ok;
use support::redis_server::{Options, Persistence};
use support::{
    Authority, PushWorker, RedisServer, TlsProxy, eventually, eventually_within, logged,
};

use crate::support::World;

const SOON: Duration = Duration::from_secs(60);
const PASSWORD: &str = "a-password-that-no-log-may-hold";

/// Functions behind a proxy with TLS, and a Redis that has nothing else.
async fn world(authority: &Authority) -> World {
    let mut world = World::start(|_| fcm_ok().after(Duration::from_millis(20))).await;
    let options = Options {
        persistence: Persistence::EveryCommand,
        tls: Some(Arc::new(authority.files())),
        password: Some(PASSWORD),
        ..Options::default()
    };
    world.redis = RedisServer::start_with(options).await;
    let functions = world.functions.url();
    let proxy = TlsProxy::to(functions.trim_start_matches("http://"), &authority.issue()).await;
    world.functions_url = proxy.url();
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_gets_a_push_over_tls_also_if_redis_dies_in_the_middle() {
    let authority = Authority::new("a private authority");
    let world = world(&authority).await;
    world.functions.push("single", 1, json!({}));
    world.users(2000, json!({})).await;
    let worker = world.worker_with(authority.environment()).await;
    world.until("it is under way", |it| it.sent > 200).await;
    world.redis.kill();
    eventually("it is not ready", async || (worker.ready().await.0 == 503).then_some(())).await;
    world.redis.restart().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed, done.remaining()), (2000, 0, 0));
    eventually_within(SOON, "the job is settled", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    eventually("it is ready", async || (worker.ready().await.0 == 200).then_some(())).await;
    assert!(!worker.process.output().contains(PASSWORD), "{}", worker.process.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_not_trusted_is_named_as_the_reason() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let mut world = world(&ours).await;
    let worker = world.worker_with(other.environment()).await;
    not_ready(&worker, "cannot reach the functions").await;
    drop(worker);

    world.functions_url = world.functions.url();
    let worker = world.worker_with(other.environment()).await;
    not_ready(&worker, "Redis does not answer").await;
}

async fn not_ready(worker: &PushWorker, what: &str) {
    eventually_within(SOON, what, async || {
        let (status, body) = worker.ready().await;
        (status == 503 && body.contains(what) && body.contains("UnknownIssuer")).then_some(())
    })
    .await;
    logged(|| worker.process.output(), &[what, "UnknownIssuer"]).await;
    assert!(!worker.process.output().contains(PASSWORD), "{}", worker.process.output());
}
