//! The relay: what is pending arrives, in order and once, whoever asks for it how often.

use futures_util::future::join_all;
use serde_json::json;
use support::{Functions, Proxy, Published, RedisServer, eventually};

/// Creates notifications while Redis is away and brings it back. The relay alone delivers them: the
/// host forgets that it wanted to try again.
async fn pending(redis: &RedisServer, functions: &Functions, entries: &[(&str, &str)]) {
    redis.kill();
    for (user, title) in entries {
        assert_eq!(functions.notify(user, title).await["delivery"], "pending");
    }
    forget(functions).await;
    redis.restart().await;
}

async fn forget(functions: &Functions) {
    functions.kill();
    functions.restart().await;
}

#[tokio::test]
async fn it_sends_what_is_pending_in_order_and_then_has_nothing_to_do() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "a1").await;
    pending(&redis, &functions, &[("alice", "a2"), ("bob", "b1"), ("alice", "a3")]).await;
    let published = Published::subscribe(&redis).await;

    let outcome = functions.relay().await.expect(200).json();
    assert_eq!(outcome["pending"], 0);
    assert!(outcome["sent"].as_i64().unwrap() >= 2, "{outcome}");
    published.exactly(3).await;
    assert_eq!(published.seqs("alice").await, [2, 3]);
    assert_eq!(published.seqs("bob").await, [1]);
    assert_eq!(functions.titles("alice").await, ["a3", "a2", "a1"]);
    assert_eq!(redis.list("notifications:bob").await.len(), 1);

    let again = functions.relay().await.expect(200).json();
    assert_eq!(again, json!({"sent": 0, "pending": 0, "live": "all"}));
    functions.notify("alice", "a4").await;
    published.exactly(4).await;
}

#[tokio::test]
async fn called_from_several_places_at_once_it_sends_everything_once() {
    let redis = RedisServer::start_durable().await;
    let first = Functions::start(&redis).await;
    let second = Functions::with(&redis).record(&first.record).start().await;
    let users: Vec<String> = (0..8).map(|at| format!("u{at}")).collect();
    let entries: Vec<(&str, &str)> =
        users.iter().flat_map(|user| [(user.as_str(), "one"), (user.as_str(), "two")]).collect();
    pending(&redis, &first, &entries).await;
    let published = Published::subscribe(&redis).await;
    let runs = (0..6).map(|at| if at % 2 == 0 { first.relay() } else { second.relay() });
    for answer in join_all(runs).await {
        answer.expect(200);
    }
    assert_eq!(first.relay().await.expect(200).json()["pending"], 0);
    published.exactly(entries.len()).await;
    for user in &users {
        assert_eq!(published.seqs(user).await, [1, 2], "{user}");
        assert_eq!(first.titles(user).await, ["two", "one"], "{user}");
    }
}

#[tokio::test]
async fn it_has_nothing_to_do_for_users_with_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    assert_eq!(
        functions.relay().await.expect(200).json(),
        json!({"sent": 0, "pending": 0, "live": "all"})
    );
    functions.feed("nobody").await.expect(200);
    assert_eq!(
        functions.relay().await.expect(200).json(),
        json!({"sent": 0, "pending": 0, "live": "all"})
    );
}

#[tokio::test]
async fn only_a_redis_in_place_of_another_one_is_worth_a_warning() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    functions.relay().await.expect(200);
    functions.relay().await.expect(200);
    // Whatever would have been logged stands before this.
    redis.kill();
    functions.relay().await.expect_problem(503, "redis_unavailable");
    let failed = r#""event":"request_failed""#;
    eventually("the failure is logged", async || functions.output().contains(failed).then_some(()))
        .await;
    assert!(!functions.output().contains("redis_replaced"), "{}", functions.output());
    redis.restart().await;
    functions.relay().await.expect(200);
    eventually("the other Redis is logged", async || {
        functions.output().contains("redis_replaced").then_some(())
    })
    .await;
}

/// The kept connection leads to the old primary, which has everything and the run id that is known.
#[tokio::test]
async fn a_primary_that_was_demoted_is_not_asked_what_is_sent() {
    let (old, new) = (RedisServer::start().await, RedisServer::start().await);
    let proxy = Proxy::to(&old.address()).await;
    let functions = Functions::with(&old).redis_at(&proxy.address()).start().await;
    functions.relay().await.expect(200);
    assert_eq!(functions.notify("alice", "one").await["delivery"], "sent");
    // It follows somebody whom it does not reach yet; connections stay.
    let _: () = old.run("REPLICAOF 127.0.0.1 1").await;
    proxy.lead_to(&new.address());
    functions.relay().await.expect_problem(503, "redis_unavailable");
    assert_eq!(
        functions.relay().await.expect(200).json(),
        json!({"sent": 1, "pending": 0, "live": "all"})
    );
    assert_eq!(new.list("notifications:alice").await.len(), 1);
}

#[tokio::test]
async fn one_users_broken_key_does_not_stop_the_others() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    pending(&redis, &functions, &[("a", "a1"), ("b", "b1"), ("c", "c1"), ("d", "d1")]).await;
    // A list and a companion of the wrong type.
    redis.expect_foreign("notifications:b");
    redis.expect_foreign("bw:feed:{notifications:c}");
    let _: () = redis.run("SET notifications:b broken").await;
    let _: () = redis.run("SET bw:feed:{notifications:c} broken").await;
    let published = Published::subscribe(&redis).await;

    assert_eq!(functions.relay().await.expect(200).json()["pending"], 2);
    published.exactly(2).await;
    assert_eq!((published.seqs("a").await, published.seqs("d").await), (vec![1], vec![1]));

    let _: i64 = redis.run("DEL notifications:b bw:feed:{notifications:c}").await;
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    published.exactly(4).await;
    assert_eq!(functions.titles("b").await, ["b1"]);
    assert_eq!(functions.titles("c").await, ["c1"]);
}

#[tokio::test]
async fn more_than_a_window_of_pending_entries_arrives_as_the_newest_hundred() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "n1").await;
    redis.kill();
    // Many at a time: each waits for a Redis that does not answer.
    let titles: Vec<String> = (2..=121).map(|at| format!("n{at}")).collect();
    for chunk in titles.chunks(20) {
        join_all(chunk.iter().map(|title| functions.notify("alice", title))).await;
    }
    forget(&functions).await;
    redis.restart().await;
    let published = Published::subscribe(&redis).await;
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    let seqs = published.seqs("alice").await;
    assert_eq!(seqs, (22..=121).collect::<Vec<_>>());
    assert_eq!(functions.titles("alice").await.len(), 100);
    assert_eq!(functions.notify("alice", "n122").await["delivery"], "sent");
}

#[tokio::test]
async fn what_may_not_be_published_lies_in_the_feed_once_and_is_published_when_it_may() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "a1").await;
    redis.run::<()>("ACL SETUSER default resetchannels").await;
    for title in ["a2", "a3"] {
        assert_eq!(functions.notify("alice", title).await["delivery"], "pending");
    }
    assert_eq!(functions.notify("bob", "b1").await["delivery"], "pending");
    for _ in 0..5 {
        let outcome = functions.relay().await.expect(200).json();
        assert_eq!(outcome, json!({"sent": 0, "pending": 2, "live": "all"}));
    }
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(support::functions::titles(&feed), ["a3", "a2", "a1"]);
    assert_eq!(feed["unread"], 3);
    assert_eq!(redis.list("notifications:alice").await.len(), 3);
    assert_eq!(redis.list("notifications:bob").await.len(), 1);

    redis.run::<()>("ACL SETUSER default allchannels").await;
    forget(&functions).await;
    let published = Published::subscribe(&redis).await;
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    published.exactly(3).await;
    assert_eq!(published.seqs("alice").await, [2, 3]);
    assert_eq!(published.seqs("bob").await, [1]);
    functions.notify("alice", "a4").await;
    assert_eq!(published.seqs("alice").await, [2, 3, 4]);
    assert_eq!(functions.titles("alice").await, ["a4", "a3", "a2", "a1"]);
}
