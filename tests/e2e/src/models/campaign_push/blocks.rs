//! Blocks: whose they are, what they hold, and what their settlements change.

use std::time::Duration;

use shared::campaign_push::{End, State};
use shared::{keys, script};
use support::RedisServer;
use support::wait::eventually;

use super::{Push, counts, element, elements};

const FAST: i64 = 10_000;

#[tokio::test]
async fn a_repeated_claim_returns_the_same_block_and_a_repeated_settlement_counts_once() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 100, FAST).await;
    push.fill().await;
    let claim = push.new_claim(10);
    let first = push.send(claim.clone()).await.block.unwrap();
    let mut block = push.send(claim).await.block.unwrap();
    assert_eq!(elements(&first), elements(&block));
    assert!(!block.in_doubt());
    assert_eq!(push.progress().await.claimed, 10);

    for (at, end) in [End::Sent, End::Failed, End::Invalid, End::Skipped].into_iter().enumerate() {
        block.settle(at, end);
    }
    block.respond("1".to_owned());
    let settlement = block.settlement();
    for _ in 0..3 {
        push.call(settlement.respond.as_ref().unwrap()).await;
        push.call(&settlement.settle).await;
    }
    let reply = push.call(&settlement.settle).await;
    assert!(block.answered(&reply).unwrap().is_owned);
    assert_eq!(counts(&push.progress().await), [1, 1, 1, 1, 96]);
    assert_eq!(redis.list("campaign:c:responses").await, ["1"]);
    // What was delayed on the way comes to nothing, too.
    block.settle(4, End::Sent);
    push.settle(&mut block).await;
    push.call(&settlement.settle).await;
    assert_eq!(counts(&push.progress().await), [2, 1, 1, 1, 95]);
    let again = push.block(5).await;
    assert!(elements(&again).iter().all(|one| !elements(&block).contains(one)));
}

#[tokio::test]
async fn a_silent_worker_s_block_goes_to_another_one_without_those_that_ended() {
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 40, FAST).await;
    let mut first = push.block(20).await;
    for at in 0..5 {
        first.settle(at, End::Sent);
    }
    // The settlement shortens the lease to nothing.
    let mut settle = first.settlement().settle;
    settle.args[4] = b"1".to_vec();
    first.answered(&push.call(&settle).await).unwrap();
    push.lease_ms = 600_000;
    let mut second = eventually("the lease ends", async || {
        let block = push.claim(5).await.block?;
        if block.in_doubt() {
            return Some(block);
        }
        push.release(block).await;
        None
    })
    .await;
    assert_eq!(elements(&second), elements(&first), "all that is left of it, more than was asked");
    assert_eq!(second.open().count(), 15);

    // The first owner is told so, and changes nothing.
    first.settle(7, End::Sent);
    assert!(!push.settle(&mut first).await.is_owned);
    assert_eq!(push.progress().await.sent, 5);
    for at in 5..20 {
        second.settle(at, End::Sent);
    }
    assert!(push.settle(&mut second).await.is_owned && second.is_over());
    assert!(!push.settle(&mut first).await.is_owned);
    assert_eq!(push.progress().await.sent, 20);
    let blocks: Vec<String> = redis.run("KEYS bw:pushblock:*").await;
    let in_use = elements(&push.block(20).await);
    assert!(in_use.iter().all(|one| !elements(&first).contains(one)), "{blocks:?}");
}

#[tokio::test]
async fn a_claim_repeated_after_another_worker_got_its_block_takes_nobody() {
    let redis = RedisServer::start().await;
    let mut push = Push::started(&redis, 40, FAST).await;
    push.fill().await;
    push.lease_ms = 1;
    let lost = push.new_claim(10);
    assert!(push.send(lost.clone()).await.block.is_some());
    push.lease_ms = 600_000;
    let mut second = eventually("the lease ends", async || {
        push.fill().await;
        let block = push.claim(10).await.block?;
        if block.in_doubt() {
            return Some(block);
        }
        push.release(block).await;
        None
    })
    .await;
    push.fill().await;
    let repeated = push.send(lost).await;
    assert!(repeated.block.is_none() && repeated.wait.is_some(), "{repeated:?}");
    for at in 0..10 {
        second.settle(at, End::Sent);
    }
    assert!(push.settle(&mut second).await.is_owned && second.is_over());
    assert_eq!(counts(&push.progress().await), [10, 0, 0, 0, 30]);
}

#[tokio::test]
async fn a_user_who_is_due_again_comes_before_new_ones_with_their_history() {
    let redis = RedisServer::start().await;
    let push = Push::of(&redis).await;
    // Equal elements are different users of the list.
    push.add_elements(&[element(0), element(0), element(1), element(2)]).await;
    push.start("{}", FAST).await;
    let mut block = push.block(3).await;
    for at in 0..3 {
        let (wait, attempts) = (Duration::from_millis([1, 1, 100_000][at]), 3);
        let devices = vec!["phone".to_owned(), "pad".to_owned()];
        block.settle(at, End::Later { wait, attempts, is_sent: at == 1, devices });
    }
    let claimed_ms = block.claimed_ms();
    push.settle(&mut block).await;
    assert!(block.is_over());
    assert_eq!(push.progress().await.retrying, 3);
    eventually("two are due", async || (push.now_ms().await > claimed_ms + 5).then_some(())).await;
    let block = push.block(3).await;
    assert_eq!(elements(&block), [element(0), element(0), element(2)]);
    let items: Vec<_> = block.open().map(|(_, item)| item.clone()).collect();
    assert_eq!(items.iter().map(|item| item.attempts).collect::<Vec<_>>(), [3, 3, 0]);
    assert_eq!(items.iter().filter(|item| item.is_sent).count(), 1);
    assert_eq!((items[0].first_ms, items[0].devices.join(" ")), (claimed_ms, "phone pad".into()));
    assert_eq!(push.progress().await.retrying, 1);
}

#[tokio::test]
async fn the_last_settlement_ends_the_push_and_dead_letters_can_be_put_back() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 4, FAST).await;
    let mut block = push.block(4).await;
    block.settle(0, End::Sent);
    block.settle(1, End::Failed);
    for at in 2..4 {
        block.settle(at, End::Dead { devices: Vec::new() });
    }
    assert_eq!(push.settle(&mut block).await.state, State::Done);
    let claimed = push.claim(5).await;
    assert_eq!((claimed.state, claimed.wait), (State::Done, None));
    assert_eq!(counts(&push.progress().await), [1, 3, 0, 0, 0]);

    assert_eq!(push.redrive().await, ["2", "0"]);
    assert_eq!(push.redrive().await, ["0", "0"]);
    let progress = push.progress().await;
    assert_eq!((progress.state, counts(&progress)), (State::Running, [1, 1, 0, 0, 2]));
    let mut block = push.block(2).await;
    assert!(block.open().all(|(_, item)| item.attempts == 0));
    block.settle(0, End::Dead { devices: vec!["phone".to_owned()] });
    block.settle(1, End::Sent);
    push.settle(&mut block).await;
    assert_eq!(counts(&push.progress().await), [2, 2, 0, 0, 0]);
}

#[tokio::test]
async fn dead_letters_and_responses_are_bounded() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 3, FAST).await;
    let mut block = push.block(3).await;
    for at in 0..3 {
        block.settle(at, End::Dead { devices: Vec::new() });
        block.respond(at.to_string());
    }
    let mut settlement = block.settlement();
    settlement.settle.args[11] = b"2".to_vec();
    let respond = settlement.respond.as_mut().unwrap();
    respond.args[2] = b"2".to_vec();
    push.call(respond).await;
    block.answered(&push.call(&settlement.settle).await).unwrap();
    assert_eq!(redis.list("campaign:c:responses").await, ["0", "1"]);
    assert_eq!(counts(&push.progress().await), [0, 3, 0, 0, 0]);
    assert_eq!(push.redrive().await, ["2", "0"]);
}

#[tokio::test]
async fn a_campaign_has_so_many_blocks_and_a_block_so_many_bytes() {
    let redis = RedisServer::start().await;
    let push = Push::of(&redis).await;
    let large = |at: usize| format!("{at}{}", "x".repeat(50_000));
    push.add_elements(&(0..100).map(large).collect::<Vec<_>>()).await;
    push.add(100..250).await;
    push.start("{}", FAST).await;
    push.fill().await;
    let block = push.claim(500).await.block.unwrap();
    assert_eq!(block.open().count(), 100, "4 MiB are reached in the first hundred");
    for _ in 1..100 {
        push.block(1).await;
    }
    push.fill().await;
    let claimed = push.claim(1).await;
    assert!(claimed.block.is_none() && claimed.wait.is_some(), "{claimed:?}");
    push.release(block).await;
    assert!(push.claim(1).await.block.is_some());
}

#[tokio::test]
async fn a_deleted_campaign_leaves_nothing_and_its_workers_learn_it() {
    let redis = RedisServer::start().await;
    let push = Push::started(&redis, 10, FAST).await;
    let mut block = push.block(3).await;
    let released = End::released(block.open().next().unwrap().1);
    block.settle(0, released);
    block.settle(1, End::Dead { devices: Vec::new() });
    push.settle(&mut block).await;
    let all = keys::campaign_push(&push.id);
    let mut keys = all[..2].to_vec();
    keys.push("bw:once:{campaign:c}:d".to_owned());
    keys.extend_from_slice(&all[2..]);
    keys.push(keys::campaign_responses(&push.id));
    push.eval(&script::CAMPAIGN_DELETE, &keys, &[b"60".to_vec()]).await;
    let left: Vec<String> = redis.run("KEYS *").await;
    assert!(left.iter().all(|key| key.starts_with("bw:once:")), "{left:?}");

    block.settle(2, End::Sent);
    let settled = push.settle(&mut block).await;
    assert_eq!((settled.is_owned, settled.state), (false, State::None));
    assert_eq!(push.claim(5).await.state, State::None);
    assert_eq!(push.progress().await.state, State::None);
    assert_eq!(redis.run::<Vec<String>>("KEYS bw:push*").await, [""; 0]);
}
