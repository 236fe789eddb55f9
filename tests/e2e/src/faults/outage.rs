//! Redis away in every way: dead, silent, emptied. Nothing that was answered 201 is lost or doubled.

use std::time::Duration;

use futures_util::future::join_all;
use support::functions::titles;
use support::{Functions, Hub, Published, RedisServer, Socket, eventually};

/// Generous: every call to Redis has a deadline of about a second.
const BOUND: Duration = Duration::from_secs(5);

/// Everything in its place: a hub that calls the relay, and alice's client, who has had "one".
async fn stage() -> (RedisServer, Functions, Hub, Socket) {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start_with_relay(&redis, &functions).await;
    let mut socket = hub.connect("alice").await;
    functions.notify("alice", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    (redis, functions, hub, socket)
}

/// Creates two notifications and reads the feed while Redis is away.
async fn goes_on_without_redis(functions: &Functions) {
    for title in ["two", "three"] {
        let body = serde_json::json!({"userId": "alice", "title": title});
        let answer = functions.create(&body).await.expect(201).within(BOUND);
        assert_eq!(answer.json()["delivery"], "pending");
    }
    let feed = functions.feed("alice").await.expect(200).within(BOUND).json();
    assert_eq!(titles(&feed), ["three", "two", "one"]);
    assert_eq!(feed["unread"], 3);
    let pending = &feed["notifications"][0]["delivery"];
    assert_eq!(pending, "pending");
    let answer = functions.get("/readyz").send().await.within(BOUND);
    answer.expect_problem(503, "redis_unavailable");
}

#[tokio::test]
async fn a_redis_that_dies_and_comes_back_loses_and_doubles_nothing() {
    let (redis, functions, _hub, mut socket) = stage().await;

    redis.kill();
    goes_on_without_redis(&functions).await;
    redis.restart().await;
    // Nobody asks for it: the hub sees that Redis is back and calls the relay.
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    assert_eq!(functions.notify("alice", "four").await["delivery"], "sent");
    assert_eq!(socket.titles(1).await, ["four"]);
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(titles(&feed), ["four", "three", "two", "one"]);
    assert_eq!(redis.list("notifications:alice").await.len(), 4);
    assert!(!feed.to_string().contains("pending"), "{feed}");
}

#[tokio::test]
async fn a_redis_that_dies_twice_is_no_worse() {
    let (redis, functions, _hub, mut socket) = stage().await;
    for round in 0..2 {
        let title = format!("live {round}");
        functions.notify("alice", &title).await;
        assert_eq!(socket.titles(1).await, [title]);
        redis.kill();
        let title = format!("away {round}");
        functions.notify("alice", &title).await;
        redis.restart().await;
        assert_eq!(socket.titles(1).await, [title]);
    }
    let expected = ["away 1", "live 1", "away 0", "live 0", "one"];
    assert_eq!(functions.titles("alice").await, expected);
}

#[tokio::test]
async fn a_redis_that_hangs_loses_and_doubles_nothing() {
    let (redis, functions, _hub, mut socket) = stage().await;
    let published = Published::subscribe(&redis).await;
    redis.pause();
    goes_on_without_redis(&functions).await;
    redis.resume();
    eventually("the relay gets through", async || {
        let answer = functions.relay().await;
        (answer.status == 200 && answer.json()["pending"] == 0).then_some(())
    })
    .await;
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    assert_eq!(functions.notify("alice", "four").await["delivery"], "sent");
    assert_eq!(socket.titles(1).await, ["four"]);
    assert_eq!(functions.titles("alice").await, ["four", "three", "two", "one"]);
    // What was on its way when Redis hung was done later, and not once more.
    assert_eq!(published.seqs("alice").await, [2, 3, 4]);
    assert_eq!(redis.list("notifications:alice").await.len(), 4);
}

#[tokio::test]
async fn what_a_hanging_redis_left_behind_arrives_without_anyone_asking() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    // It calls no relay, and hangs this short are not noticed by its subscription.
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    functions.notify("alice", "one").await;
    assert_eq!(socket.titles(1).await, ["one"]);
    redis.pause();
    goes_on_without_redis(&functions).await;
    redis.resume();
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    assert_eq!(functions.titles("alice").await, ["three", "two", "one"]);
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
}

#[tokio::test]
async fn the_hub_asks_for_what_a_hanging_redis_left_behind() {
    let (redis, functions, _hub, mut socket) = stage().await;
    redis.pause();
    goes_on_without_redis(&functions).await;
    // The functions do not try again themselves.
    functions.kill();
    functions.restart().await;
    redis.resume();
    // At the latest with the relay's next round, every 30 s.
    let mut titles = Vec::new();
    for _ in 0..2 {
        let frame = socket.text_within(Duration::from_secs(45)).await;
        let frame: serde_json::Value = serde_json::from_str(&frame).unwrap();
        titles.push(frame["notification"]["title"].as_str().expect("a notification").to_owned());
    }
    assert_eq!(titles, ["two", "three"]);
    functions.notify("alice", "four").await;
    assert_eq!(socket.titles(1).await, ["four"]);
}

#[tokio::test]
async fn many_at_once_are_answered_in_time_while_redis_hangs() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "first").await;
    redis.pause();
    for _ in 0..2 {
        let creates = (0..24).map(|at| {
            let body = serde_json::json!({"userId": format!("u{at}"), "title": "t"});
            let functions = &functions;
            async move { functions.create(&body).await }
        });
        let reads = (0..8).map(|_| functions.feed("alice"));
        let (created, read) = tokio::join!(join_all(creates), join_all(reads));
        for answer in created {
            assert_eq!(answer.expect(201).within(BOUND).json()["delivery"], "pending");
        }
        for answer in read {
            answer.expect(200).within(BOUND);
        }
    }
    redis.resume();
}

#[tokio::test]
async fn connections_that_broke_are_replaced_without_anyone_noticing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for at in 1..=10 {
        assert_eq!(functions.notify("alice", &format!("n{at}")).await["delivery"], "sent");
        let _: i64 = redis.run("CLIENT KILL TYPE normal SKIPME yes").await;
        functions.get("/readyz").send().await.expect(200);
    }
    assert_eq!(redis.list("notifications:alice").await.len(), 10);
}

#[tokio::test]
async fn a_full_redis_takes_nothing_and_loses_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let published = Published::subscribe(&redis).await;
    let _: () = redis.run("CONFIG SET maxmemory 1").await;
    let body = serde_json::json!({"userId": "alice", "title": "two"});
    let answer = functions.create(&body).await.expect(201).within(BOUND);
    assert_eq!(answer.json()["delivery"], "pending");
    functions.feed("alice").await.expect(200).within(BOUND);
    // Redis lets a script that has deleted something write; that is its business.
    functions.notify("bob", "first").await;
    functions.feed("bob").await.expect(200).within(BOUND);
    let _: () = redis.run("CONFIG SET maxmemory 0").await;
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);
    published.exactly(2).await;
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    assert_eq!(functions.titles("bob").await, ["first"]);
}

#[tokio::test]
async fn a_redis_replaced_by_an_empty_one_gets_everything_back() {
    let (redis, functions, _hub, mut socket) = stage().await;
    functions.notify("bob", "bob's").await;
    // Everything is noted as sent, so only the other Redis itself tells that it is not there.
    assert_eq!(functions.relay().await.expect(200).json()["pending"], 0);

    redis.replace_with_empty().await;
    // Both users were written to lately, so the relay looks after both by itself.
    for (user, expected) in [("alice", 1), ("bob", 1)] {
        let list = format!("notifications:{user}");
        eventually("the relay loads the feeds", async || {
            (redis.list(&list).await.len() == expected).then_some(())
        })
        .await;
    }
    functions.notify("alice", "two").await;
    // Not "one" again: the hub knows what this socket has.
    assert_eq!(socket.titles(1).await, ["two"]);
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
}

#[tokio::test]
async fn pending_entries_survive_an_empty_redis() {
    let (redis, functions, _hub, mut socket) = stage().await;
    redis.kill();
    goes_on_without_redis(&functions).await;
    redis.restart().await;
    let _: () = redis.run("FLUSHALL").await;
    assert_eq!(socket.titles(2).await, ["two", "three"]);
    functions.notify("alice", "four").await;
    assert_eq!(socket.titles(1).await, ["four"]);
    assert_eq!(functions.titles("alice").await, ["four", "three", "two", "one"]);
}

/// An instance holds one connection to Redis while it lives, so a crowd of them may be more than Redis
/// takes. What finds no connection is as if Redis were away.
#[tokio::test]
async fn a_redis_without_a_free_connection_loses_nothing() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "first").await;
    let mut operator = redis.connection().await;
    let limit = async |connection: &mut redis::aio::MultiplexedConnection, count: u32| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxclients").arg(count);
        command.query_async::<()>(connection).await.unwrap();
    };
    // The operator and one instance.
    limit(&mut operator, 2).await;
    let titles: Vec<String> = (0..100).map(|at| format!("{at}")).collect();
    let answers = join_all(titles.iter().map(async |title| {
        let body = serde_json::json!({"userId": "alice", "title": title});
        functions.create(&body).await.expect(201).within(BOUND).json()
    }));
    let answers = answers.await;
    let pending = answers.iter().filter(|answer| answer["delivery"] == "pending").count();
    assert!(pending > 0, "every instance found a connection");
    limit(&mut operator, 10_000).await;
    functions.relay().await.expect(200);
    assert_eq!(functions.titles("alice").await.len(), 100);
    assert_eq!(functions.record.seq("alice"), 101);
}
