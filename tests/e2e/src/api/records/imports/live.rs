//! Imports beside sockets, creates and a Redis that is away.

use futures_util::future::join_all;
use serde_json::json;
use support::{Hub, Published};

use super::super::{each_database, seqs};
use super::{history, opened, parsed};

/// More than a feed window, while sockets are connected.
#[tokio::test]
async fn sockets_hear_nothing_but_the_number_and_then_what_is_new() {
    for on in each_database().await {
        let hub = Hub::start(&on.redis).await;
        on.functions.notify("a", "first").await;
        let (mut v1, mut raw) = (hub.connect("a").await, hub.connect_raw("a").await);
        let mut without_feed = hub.connect("b").await;
        let marked = on.page("a", "").await["notifications"][0]["id"].clone();
        on.call("POST", "/users/a/notifications/read", json!({ "ids": [marked] }))
            .await
            .expect(200);
        assert_eq!(v1.json().await["unread"], 0, "{}", on.name);

        for numbers in [0..300, 300..420] {
            let (of_a, of_b) = (history("a", numbers.clone()), history("b", numbers));
            on.accepted(&of_a).await;
            on.accepted(&of_b).await;
            for socket in [&mut v1, &mut without_feed] {
                let frame = socket.json().await;
                let expected = json!({"type": "read", "ids": [], "unread": 50});
                assert_eq!(frame, expected, "{}", on.name);
            }
        }
        for user in ["a", "b"] {
            on.functions.notify(user, "next").await;
        }
        for socket in [&mut v1, &mut without_feed] {
            assert_eq!(socket.titles(1).await, ["next"], "{}: no gap, no history", on.name);
        }
        assert!(raw.text().await.contains(r#""seq":422,"title":"next""#), "{}", on.name);
        assert!(v1.is_silent().await && raw.is_silent().await && without_feed.is_silent().await);
        // Older pages come from the record.
        let (mut all, mut query) = (Vec::new(), "limit=100".to_owned());
        loop {
            let page = on.page("a", &query).await;
            all.extend(seqs(&page));
            assert!(all.len() <= 422, "{}: pages without end", on.name);
            match page["next"].as_str() {
                Some(next) => query = format!("limit=100&before={next}"),
                None => break,
            }
        }
        assert!(all.into_iter().eq((1..=422).rev()), "{}", on.name);
    }
}

#[tokio::test]
async fn while_redis_is_away_it_is_pending_and_comes_as_quietly() {
    for on in each_database().await {
        on.functions.notify("a", "first").await;
        on.functions.relay().await.expect(200);
        on.redis.kill();
        let entries = on.accepted(&history("a", 0..3)).await;
        assert!(entries.iter().all(|entry| entry["delivery"] == "pending"), "{}", on.name);
        let next = on.functions.notify("a", "next").await;
        assert_eq!(next["delivery"], "pending", "{}", on.name);
        // The host forgets that it wanted to try again.
        on.functions.kill();
        on.functions.restart().await;
        on.redis.restart().await;
        let (published, events) =
            (Published::subscribe(&on.redis).await, Published::events(&on.redis).await);
        assert_eq!(on.functions.relay().await.expect(200).json()["pending"], 0, "{}", on.name);
        assert_eq!(published.seqs("a").await, [5], "{}", on.name);
        let told = parsed(&events.exactly(1).await);
        assert_eq!((&told[0]["bw"]["first"], &told[0]["bw"]["seq"]), (&json!(2), &json!(4)));
        let page = on.page("a", "").await;
        let unread = &json!(4);
        assert_eq!((seqs(&page), &page["unread"]), (vec![5, 4, 3, 2, 1], unread), "{}", on.name);
        assert_eq!(page["notifications"][2]["readAt"], opened(), "{}: of the import", on.name);
    }
}

/// A create that comes before the import has reached the feed takes it along.
#[tokio::test]
async fn creates_and_imports_at_the_same_time_keep_their_ways() {
    for on in each_database().await {
        let hub = Hub::start(&on.redis).await;
        let mut socket = hub.connect("a").await;
        let published = Published::subscribe(&on.redis).await;
        let import = async |at: usize| on.accepted(&history("a", at * 4..at * 4 + 4)).await;
        let imports = join_all((0..10).map(import));
        let creates = join_all((0..20).map(|_| on.functions.notify("a", "new")));
        let (imported, created) = tokio::join!(imports, creates);
        for entries in &imported {
            let first = entries[0]["seq"].as_i64().unwrap();
            let seqs: Vec<_> = entries.iter().map(|entry| entry["seq"].clone()).collect();
            assert_eq!(seqs, [first, first + 1, first + 2, first + 3], "{}", on.name);
        }
        let mut expected: Vec<i64> =
            created.iter().map(|entry| entry["seq"].as_i64().unwrap()).collect();
        expected.sort_unstable();
        published.exactly(20).await;
        assert_eq!(published.seqs("a").await, expected, "{}", on.name);
        let page = on.page("a", "limit=100").await;
        assert!(seqs(&page).into_iter().eq((1..=60).rev()), "{}", on.name);
        assert_eq!(page["unread"], 40, "{}", on.name);
        let mut heard = Vec::new();
        while heard.len() < 20 {
            let frame = socket.json().await;
            match frame["type"].as_str() {
                Some("notification") => heard.push(frame["notification"]["seq"].as_i64().unwrap()),
                Some("read") => {}
                _ => panic!("{}: {frame}", on.name),
            }
        }
        assert_eq!(heard, expected, "{}", on.name);
    }
}
