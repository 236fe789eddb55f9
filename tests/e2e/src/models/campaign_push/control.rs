//! Starting, pausing and cancelling.

use std::time::Duration;

use shared::campaign_push::{End, PauseReason, State};
use support::RedisServer;
use support::wait::eventually;

use super::{Push, counts};

const FAST: i64 = 10_000;

#[tokio::test]
async fn nothing_starts_before_its_time_and_a_missing_campaign_never() {
    let redis = RedisServer::start().await;
    let push = Push::of(&redis).await;
    assert_eq!(push.start("{}", FAST).await.state, State::None);
    assert_eq!(redis.run::<i64>("DBSIZE").await, 0);
    push.add(0..10).await;
    let at = push.now_ms().await + 300;
    let progress = push.start_at("{}", FAST, at).await;
    assert_eq!((progress.state, counts(&progress)), (State::Scheduled, [0, 0, 0, 0, 10]));
    let claimed = push.claim(5).await;
    assert!(claimed.block.is_none() && claimed.state == State::Scheduled);
    assert!(claimed.wait.unwrap() <= Duration::from_millis(300));
    let block = eventually("the start", async || push.claim(5).await.block).await;
    assert!(block.claimed_ms() >= at);
}

#[tokio::test]
async fn a_paused_push_gives_out_nothing_and_takes_what_ends() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 50, FAST).await;
    let mut block = push.block(20).await;
    assert_eq!(push.control("pause").await, ["paused", "1"]);
    assert_eq!(push.control("pause").await, ["paused", "1"]);
    let claimed = push.claim(5).await;
    assert!(claimed.block.is_none() && claimed.wait.is_some());
    for at in 0..5 {
        block.settle(at, End::Sent);
    }
    let settled = push.settle(&mut block).await;
    assert_eq!((settled.is_owned, settled.state), (true, State::Paused), "it is told at once");
    push.release(block).await;
    assert_eq!(counts(&push.progress().await), [5, 0, 0, 0, 45]);
    assert!(push.claim(5).await.block.is_none());
    // New options do not end the pause.
    assert_eq!(push.start(r#"{"a":1}"#, FAST).await.state, State::Paused);

    assert_eq!(push.control("resume").await, ["running", "1"]);
    let mut ended = 5;
    while ended < 50 {
        let claimed = push.claim(500).await;
        if let Some(mut block) = claimed.block {
            for at in 0..block.items().count() {
                ended += usize::from(block.settle(at, End::Sent));
            }
            push.settle(&mut block).await;
        }
        tokio::time::sleep(claimed.wait.unwrap()).await;
    }
    let progress = push.progress().await;
    assert_eq!((progress.state, counts(&progress)), (State::Done, [50, 0, 0, 0, 0]));
    for action in ["pause", "resume", "cancel"] {
        assert_eq!(push.control(action).await, ["done", "0"]);
    }
}

#[tokio::test]
async fn a_pause_may_last_longer_than_the_keys() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 20, FAST).await;
    let _block = push.block(5).await;
    push.control("pause").await;
    let keys: Vec<String> = redis.run("KEYS *").await;
    for key in &keys {
        redis.command(&["EXPIRE", key, "60"]).await;
    }
    push.claim(5).await;
    let kept: Vec<&String> = keys.iter().filter(|key| !key.starts_with("bw:once:")).collect();
    assert!(kept.iter().any(|key| key.starts_with("bw:pushblock:")), "{keys:?}");
    for key in kept {
        let ttl_s: i64 = redis.run_words(&["TTL", key]).await;
        assert!(ttl_s > 60, "{key}: {ttl_s}");
    }
}

#[tokio::test]
async fn a_worker_pauses_with_a_reason_until_someone_resumes() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 50, FAST).await;
    let (mut block, mut other) = (push.block(5).await, push.block(5).await);
    block.pause(PauseReason::ManyInvalid);
    assert!(block.has_news());
    assert_eq!(push.settle(&mut block).await.state, State::Paused);
    // The first reason stays.
    other.pause(PauseReason::Credentials);
    push.settle(&mut other).await;
    let progress = push.progress().await;
    assert_eq!((progress.state, progress.reason.as_deref()), (State::Paused, Some("many_invalid")));
    assert_eq!(push.claim(1).await.reason.as_deref(), Some("many_invalid"));
    push.control("resume").await;
    assert_eq!(push.progress().await.reason, None);
}

#[tokio::test]
async fn a_cancelled_push_keeps_the_list_and_counts_those_under_way() {
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 50, FAST).await;
    let mut block = push.block(10).await;
    let again = |wait| End::Later { wait, attempts: 1, is_sent: false, devices: Vec::new() };
    block.settle(0, again(Duration::from_secs(100)));
    push.settle(&mut block).await;
    push.lease_ms = 1;
    let silent = push.block(4).await;
    assert_eq!(push.control("cancel").await, ["cancelled", "1"]);
    assert_eq!(push.control("cancel").await, ["cancelled", "1"]);
    assert_eq!(push.control("resume").await, ["cancelled", "0"]);
    block.settle(1, End::Sent);
    block.settle(2, again(Duration::ZERO));
    assert_eq!(push.settle(&mut block).await.state, State::Cancelled);
    // A worker's claims end what another one left; then there is nothing to come.
    eventually("the silent block is counted", async || {
        (push.claim(5).await.wait.is_some() && push.progress().await.skipped == 6).then_some(())
    })
    .await;
    for at in 3..10 {
        block.settle(at, End::Skipped);
    }
    push.settle(&mut block).await;
    assert_eq!(push.claim(5).await.wait, None);
    drop(silent);
    assert_eq!(counts(&push.progress().await), [1, 0, 0, 13, 36]);
    assert_eq!(redis.list("campaign:c").await.len(), 36);
    assert_eq!(push.redrive().await, ["-1", "0"]);

    // It starts again with those who are left.
    let progress = push.start("{}", FAST).await;
    assert_eq!((progress.state, counts(&progress)), (State::Running, [0, 0, 0, 0, 36]));
}

#[tokio::test]
async fn a_repeated_start_changes_nothing_and_other_options_get_a_revision() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 2, FAST).await;
    let rev = push.rev().await;
    push.start("{}", FAST).await;
    assert_eq!(push.rev().await, rev);
    push.start(r#"{"a":1}"#, FAST).await;
    let other: i64 = push.rev().await.parse().unwrap();
    assert!(other > rev.parse().unwrap());
    let mut block = push.block(2).await;
    block.settle(0, End::Sent);
    block.settle(1, End::Sent);
    push.settle(&mut block).await;

    // Done: the caller who repeats the request still sees what came of it.
    let progress = push.start(r#"{"a":1}"#, FAST).await;
    assert_eq!((progress.state, progress.sent), (State::Done, 2));
    push.add(2..5).await;
    let progress = push.start(r#"{"a":1}"#, FAST).await;
    assert_eq!((progress.state, counts(&progress)), (State::Running, [0, 0, 0, 0, 3]));
}
