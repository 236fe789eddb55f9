//! The record in trouble: replaced, restored, locked, refusing.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use support::{Functions, Hub, Published, RedisServer, Socket, eventually, token};

/// The next notification's title; a `gap`, which tells of the new epoch, may come before it.
pub async fn next_title(socket: &mut Socket) -> String {
    loop {
        let frame = socket.json().await;
        match frame["type"].as_str() {
            Some("gap") => assert_eq!(frame["reason"], "epoch", "{frame}"),
            Some("notification") => {
                return frame["notification"]["title"].as_str().unwrap().to_owned();
            }
            _ => panic!("unexpected: {frame}"),
        }
    }
}

#[tokio::test]
async fn a_record_replaced_by_an_empty_one_silences_nobody() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut v1 = hub.connect("alice").await;
    let mut raw = hub.connect_raw("alice").await;
    for title in ["old 1", "old 2"] {
        functions.notify("alice", title).await;
        assert_eq!(next_title(&mut v1).await, title);
        assert!(raw.text().await.contains(title));
    }
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    let _: i64 = redis.run_words(&["LPUSH", "notifications:alice", &theirs]).await;
    let epoch = functions.record.epoch();

    functions.kill();
    functions.record.remove();
    functions.restart().await;
    for title in ["new 1", "new 2", "new 3"] {
        assert_eq!(functions.notify("alice", title).await["delivery"], "sent");
        assert_eq!(next_title(&mut v1).await, title);
        assert!(raw.text().await.contains(title));
    }
    assert_ne!(functions.record.epoch(), epoch);
    assert_eq!(functions.titles("alice").await, ["new 3", "new 2", "new 1", "theirs"]);
}

#[tokio::test]
async fn a_new_record_takes_many_creates_at_once() {
    let redis = RedisServer::start().await;
    for round in 0..6 {
        // Nothing has touched the database yet: whoever comes first makes its tables.
        let first = Functions::start(&redis).await;
        let second = Functions::with(&redis).record(&first.record).start().await;
        let users: Vec<String> = (0..4).map(|at| format!("r{round}u{at}")).collect();
        let creates = (0..24).map(|at| {
            let functions = if at % 2 == 0 { &first } else { &second };
            functions.notify(&users[at % users.len()], "one of many")
        });
        let (_, relayed) =
            tokio::join!(join_all(creates), join_all([first.relay(), second.relay()]));
        for answer in relayed {
            answer.expect(200);
        }
        for user in &users {
            assert_eq!(first.record.seq(user), 6);
            assert_eq!(first.titles(user).await.len(), 6);
        }
    }
}

#[tokio::test]
async fn a_record_restored_from_an_older_copy_silences_nobody() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
        assert_eq!(next_title(&mut socket).await, title);
    }
    let epoch = functions.record.epoch();
    functions.kill();
    let saved = functions.record.save();
    functions.restart().await;
    for title in ["lost 1", "lost 2", "lost 3"] {
        functions.notify("alice", title).await;
        assert_eq!(next_title(&mut socket).await, title);
    }
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    let _: i64 = redis.run_words(&["LPUSH", "notifications:alice", &theirs]).await;

    functions.kill();
    functions.record.restore(&saved);
    functions.restart().await;
    assert_eq!(functions.record.epoch(), epoch, "the copy has the old epoch");
    for title in ["three", "four"] {
        assert_eq!(functions.notify("alice", title).await["delivery"], "sent");
        assert_eq!(next_title(&mut socket).await, title);
    }
    assert_ne!(functions.record.epoch(), epoch, "seqs that are counted again need a new epoch");
    assert_eq!(functions.titles("alice").await, ["four", "three", "theirs", "two", "one"]);
}

#[tokio::test]
async fn rotating_the_epoch_after_a_restore_brings_every_user_back() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    functions.kill();
    let saved = functions.record.save();
    functions.restart().await;
    functions.notify("alice", "lost").await;
    functions.notify("bob", "lost").await;
    functions.kill();
    functions.record.restore(&saved);
    functions.restart().await;
    let operator = token("an operator", "ops:write");
    let body = r#"{"rotateEpoch":true}"#;
    functions.post("/admin/migrate", body).token(&operator).send().await.expect(200);
    for (user, expected) in [("alice", vec!["new", "one"]), ("bob", vec!["new"])] {
        assert_eq!(functions.notify(user, "new").await["delivery"], "sent");
        assert_eq!(functions.titles(user).await, expected);
    }
}

#[tokio::test]
async fn a_statement_that_fails_inside_the_database_gives_no_201() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    functions.notify("alice", "one").await;
    let trigger = "CREATE TRIGGER forbidden BEFORE INSERT ON notifications
        WHEN new.title = 'forbidden' BEGIN SELECT RAISE(ABORT, 'secret detail'); END";
    functions.record.open().execute_batch(trigger).unwrap();
    for _ in 0..3 {
        let answer = functions.create(&json!({"userId": "alice", "title": "forbidden"})).await;
        let answer = answer.expect_problem(503, "record_unavailable");
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        assert!(!answer.text().contains("secret detail"), "{}", answer.text());
    }
    // After the insert, in the trigger that counts: the row must not stay either.
    let counting = "CREATE TRIGGER uncounted BEFORE UPDATE OF seq ON feed
        WHEN EXISTS (SELECT 1 FROM notifications WHERE seq = new.seq AND title = 'uncounted')
        BEGIN SELECT RAISE(ABORT, 'no'); END";
    functions.record.open().execute_batch(counting).unwrap();
    let answer = functions.create(&json!({"userId": "alice", "title": "uncounted"})).await;
    answer.expect_problem(503, "record_unavailable");

    assert_eq!(functions.notify("alice", "two").await["seq"], 2);
    assert_eq!(functions.titles("alice").await, ["two", "one"]);
    assert_eq!(functions.record.ids("alice").len(), 2);
    published.exactly(2).await;
}

#[tokio::test]
async fn a_locked_record_is_answered_in_time_and_works_afterwards() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let holder = functions.record.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let answer = functions.create(&json!({"userId": "alice", "title": "locked"})).await;
    let answer = answer.expect_problem(503, "record_unavailable").within(Duration::from_secs(9));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
    let reason = "no answer in time: the database is locked";
    eventually("the log says why", async || functions.output().contains(reason).then_some(()))
        .await;
    // A warm feed needs no SQL.
    let feed = functions.feed("alice").await.expect(200).within(Duration::from_secs(2));
    assert_eq!(support::functions::titles(&feed.json()), ["one"]);
    holder.execute_batch("COMMIT").unwrap();

    // 503 means unknown; whatever became of it, the counter stays dense and the feed right.
    let next = functions.notify("alice", "two").await;
    let earlier = format!("SELECT count(*) FROM notifications WHERE seq <= {}", next["seq"]);
    assert_eq!(next["seq"], functions.record.value::<i64>(&earlier));
    let mut shown = shown_ids(&functions, "alice").await;
    let recorded = functions.record.ids("alice");
    // The host goes on with a statement that was given up, for as long as it waits for the lock: on
    // a busy machine until after the next create. Then nobody is left to deliver it but the relay.
    if next["id"] != recorded[0] {
        functions.relay().await.expect(200);
        shown = shown_ids(&functions, "alice").await;
    }
    assert_eq!(shown, recorded);
}

/// The ids of a feed, newest first.
async fn shown_ids(functions: &Functions, user: &str) -> Vec<String> {
    let feed = functions.feed(user).await.expect(200).json();
    let entries = feed["notifications"].as_array().unwrap().iter();
    entries.map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn creates_that_queue_behind_a_lock_are_all_answered_in_time() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let holder = functions.record.open();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let creates = (0..10).map(|at| {
        let body = json!({"userId": "alice", "title": format!("locked {at}")});
        let functions = &functions;
        async move { functions.create(&body).await }
    });
    for answer in join_all(creates).await {
        answer.expect_problem(503, "record_unavailable").within(Duration::from_secs(12));
    }
    holder.execute_batch("COMMIT").unwrap();
    let next = functions.notify("alice", "two").await;
    assert_eq!(next["delivery"], "sent");
    let count: i64 = functions.record.value("SELECT count(*) FROM notifications");
    let highest: i64 = functions.record.value("SELECT max(seq) FROM notifications");
    assert_eq!(count, highest);
}
