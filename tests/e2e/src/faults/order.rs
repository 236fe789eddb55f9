//! Order: whatever overtakes whatever, a user's notifications arrive by their seq.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use support::{Functions, Hub, Proxy, Published, RedisServer, eventually};

#[tokio::test]
async fn a_slow_connection_does_not_let_six_overtake_five() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(&redis.address()).await;
    let fast = Functions::start(&redis).await;
    let slow =
        Functions::with(&redis).record(&fast.record).redis_at(&proxy.address()).start().await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    let published = Published::subscribe(&redis).await;
    for at in 1..=4 {
        fast.notify("alice", &format!("n{at}")).await;
    }
    assert_eq!(socket.titles(4).await, ["n1", "n2", "n3", "n4"]);

    proxy.hold();
    let (held, overtaking) = tokio::join!(slow.notify("alice", "n5"), async {
        // Five is committed and on its way to Redis.
        eventually("n5 is in the record", async || {
            (fast.record.seq("alice") == 5 && proxy.held_bytes() > 0).then_some(())
        })
        .await;
        let overtaking = fast.notify("alice", "n6").await;
        assert_eq!(fast.titles("alice").await, ["n6", "n5", "n4", "n3", "n2", "n1"]);
        proxy.release();
        overtaking
    });
    assert_eq!((&held["seq"], &overtaking["seq"]), (&5.into(), &6.into()));
    assert_eq!(overtaking["delivery"], "sent");
    assert_eq!(socket.titles(2).await, ["n5", "n6"]);

    slow.notify("alice", "n7").await;
    assert_eq!(socket.titles(1).await, ["n7"]);
    assert_eq!(published.seqs("alice").await, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(fast.titles("alice").await, ["n7", "n6", "n5", "n4", "n3", "n2", "n1"]);
    assert_eq!(redis.list("notifications:alice").await.len(), 7);
}

#[tokio::test]
async fn concurrent_creates_are_dense_and_published_in_order() {
    const CREATES: i64 = 50;
    let redis = RedisServer::start().await;
    let first = Functions::start(&redis).await;
    let second = Functions::with(&redis).record(&first.record).start().await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    let published = Published::subscribe(&redis).await;

    let creates = (0..CREATES).map(|at| {
        let functions = if at % 2 == 0 { &first } else { &second };
        async move { functions.notify("alice", &format!("n{at}")).await }
    });
    let created = join_all(creates).await;
    let seqs: BTreeSet<i64> = created.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=CREATES).collect::<BTreeSet<_>>());

    published.exactly(CREATES as usize).await;
    assert_eq!(published.seqs("alice").await, (1..=CREATES).collect::<Vec<_>>());
    let feed = first.feed("alice").await.expect(200).json();
    let entries = feed["notifications"].as_array().unwrap();
    let ids: Vec<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, first.record.ids("alice"));
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), CREATES as usize);
    for seq in 1..=CREATES {
        let frame: serde_json::Value = serde_json::from_str(&socket.notification().await).unwrap();
        assert_eq!(frame["seq"], seq);
    }
}

#[tokio::test]
async fn concurrent_creates_for_many_users_do_not_mix() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    let creates = (0..60).map(|at| {
        let (user, functions) = (format!("u{}", at % 6), &functions);
        async move { functions.notify(&user, &format!("{user} {}", at / 6)).await }
    });
    join_all(creates).await;
    published.exactly(60).await;
    for user in ["u0", "u1", "u2", "u3", "u4", "u5"] {
        assert_eq!(published.seqs(user).await, (1..=10).collect::<Vec<_>>());
        let titles = functions.titles(user).await;
        assert_eq!(titles.len(), 10);
        assert!(titles.iter().all(|title| title.starts_with(user)), "{titles:?}");
    }
}
