//! The rate: never exceeded, whoever claims, and used as far as the ramp allows.

use std::cell::RefCell;
use std::time::Duration;

use futures_util::future::join_all;
use shared::campaign_push::{End, State};
use support::RedisServer;

use super::Push;

/// Users claimed at a time of Redis' clock.
type Claims = Vec<(i64, usize)>;

/// Claims with three workers at once for `ms`, and ends everything at once.
async fn claims(push: &Push, ms: i64) -> Claims {
    let claims = RefCell::new(Vec::new());
    let until = push.now_ms().await + ms;
    let worker = async || {
        while push.now_ms().await < until {
            let claimed = push.claim(500).await;
            assert_eq!(claimed.state, State::Running);
            if let Some(mut block) = claimed.block {
                claims.borrow_mut().push((block.claimed_ms(), block.open().count()));
                for at in 0..block.items().count() {
                    block.settle(at, End::Sent);
                }
                push.settle(&mut block).await;
            }
            tokio::time::sleep(claimed.wait.unwrap().min(Duration::from_millis(20))).await;
        }
    };
    join_all((0..3).map(|_| worker())).await;
    let mut claims = claims.into_inner();
    claims.sort_unstable();
    claims
}

/// Any window has at most what flows in it, and what the bucket held before: one second's worth.
fn assert_within(claims: &Claims, rate: f64) {
    for (first, (begin, _)) in claims.iter().enumerate() {
        let mut sum = 0;
        for (at, count) in &claims[first..] {
            sum += count;
            let most = rate * (1.0 + (at - begin) as f64 / 1000.0) + 1.0;
            assert!(sum as f64 <= most, "{sum} in {} ms, at most {most}", at - begin);
        }
    }
}

#[tokio::test]
async fn no_window_exceeds_the_rate_and_the_ramp_rises_from_zero() {
    const RATE: f64 = 500.0;
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 5000, 500).await;
    push.ramp_ms = 1500;
    let claims = claims(&push, 3000).await;
    assert_within(&claims, RATE);
    let start = claims[0].0;
    let mut sum = 0;
    for (at, count) in &claims {
        sum += count;
        let ms = (at - start) as f64;
        let rising = ms.min(1500.0);
        let area = RATE / 1000.0 * (rising * rising / 3000.0 + ms - rising);
        assert!(sum as f64 <= area + 1.01, "{sum} after {ms} ms, at most {area}");
    }
    // Three seconds with a ramp of one and a half: what a bucket of whole users and three workers
    // that sleep leave of 1,125.
    assert!(sum >= 950, "{sum}: {claims:?}");
}

#[tokio::test]
async fn a_break_is_followed_by_one_second_s_worth_and_a_long_one_by_a_ramp() {
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 5000, 200).await;
    push.ramp_ms = 700;
    let first = claims(&push, 1200).await;
    assert_within(&first, 200.0);
    tokio::time::sleep(Duration::from_millis(400)).await;
    let block = push.claim(500).await.block.unwrap();
    assert!((60..=200).contains(&block.open().count()), "{block:?}");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(push.claim(500).await.block.unwrap().open().count(), 1, "the ramp begins again");
}

#[tokio::test]
async fn a_lowered_rate_holds_for_a_block_that_was_claimed_before() {
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 5000, 2000).await;
    push.lease_ms = 50;
    let silent = push.block(100).await;
    assert_eq!(push.start(r#"{"a":1}"#, 20).await.rate, 20);
    let begin = push.now_ms().await;
    let second = loop {
        let claimed = push.claim(500).await;
        match claimed.block {
            Some(block) if block.in_doubt() => break block,
            _ => tokio::time::sleep(claimed.wait.unwrap()).await,
        }
    };
    assert_eq!(second.open().count(), 100, "whole, on credit");
    drop(silent);
    // The debt of 80 takes four seconds to repay.
    let claimed = push.claim(500).await;
    assert!(claimed.block.is_none());
    assert!(claimed.wait.unwrap() > Duration::from_secs(3), "{claimed:?}, since {begin}");
}
