//! Feeds that vanish from Redis, whole or in part: the record brings them back.

use serde_json::json;
use support::{Functions, Published, RedisServer};

const LIST: &str = "notifications:alice";
const COMPANION: &str = "bw:feed:{notifications:alice}";

#[tokio::test]
async fn a_flushed_feed_is_rebuilt_by_a_create_without_hiding_older_entries() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
    }
    let _: () = redis.run("FLUSHALL").await;
    assert_eq!(functions.notify("alice", "three").await["delivery"], "sent");
    assert_eq!(functions.titles("alice").await, ["three", "two", "one"]);
    assert_eq!(redis.list(LIST).await.len(), 3);
    // Consumers compare seq, so an older one may come again; the newest comes once, and last.
    let seqs = published.seqs("alice").await;
    assert_eq!(seqs.iter().filter(|seq| **seq == 3).count(), 1, "{seqs:?}");
    assert_eq!(seqs.last(), Some(&3), "{seqs:?}");
}

#[tokio::test]
async fn a_flushed_feed_is_rebuilt_by_a_read() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
    }
    let before = redis.list(LIST).await;
    let _: () = redis.run("FLUSHALL").await;
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(support::functions::titles(&feed), ["two", "one"]);
    assert_eq!(feed["unread"], 2);
    assert_eq!(redis.list(LIST).await, before, "the very bytes are back");
}

#[tokio::test]
async fn a_feed_that_another_service_deleted_or_trimmed_is_rebuilt() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let mut expected = Vec::new();
    for (at, command) in
        [format!("DEL {LIST}"), format!("LTRIM {LIST} 0 0"), format!("DEL {COMPANION}")]
            .into_iter()
            .enumerate()
    {
        for _ in 0..2 {
            let title = format!("{at}.{}", expected.len());
            functions.notify("alice", &title).await;
            expected.insert(0, title);
        }
        let _: redis::Value = redis.run(&command).await;
        // By a read…
        assert_eq!(functions.titles("alice").await, expected, "read after {command}");
        let _: redis::Value = redis.run(&command).await;
        // …and by a create.
        let title = format!("{at}.{}", expected.len());
        functions.notify("alice", &title).await;
        expected.insert(0, title);
        assert_eq!(functions.titles("alice").await, expected, "create after {command}");
    }
}

#[tokio::test]
async fn a_feed_that_another_service_deleted_and_began_again_holds_both() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
    }
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    let _: i64 = redis.run_words(&["DEL", LIST]).await;
    let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
    assert_eq!(functions.titles("alice").await, ["theirs", "two", "one"]);

    // As many as before, so that the length alone says nothing.
    let _: i64 = redis.run_words(&["DEL", LIST]).await;
    for _ in 0..3 {
        let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
    }
    functions.notify("alice", "three").await;
    let titles = functions.titles("alice").await;
    assert_eq!(titles, ["three", "theirs", "theirs", "theirs", "two", "one"]);
}

#[tokio::test]
async fn foreign_entries_keep_their_place_when_a_feed_is_rebuilt() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "one").await;
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
    functions.notify("alice", "two").await;
    let _: i64 = redis.run_words(&["DEL", COMPANION]).await;
    assert_eq!(functions.titles("alice").await, ["two", "theirs", "one"]);
    let _: () = redis.run_words(&["LTRIM", LIST, "0", "1"]).await;
    assert_eq!(functions.titles("alice").await, ["two", "theirs", "one"]);
}

#[tokio::test]
async fn many_readers_of_a_cold_feed_rebuild_it_once() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for at in 1..=30 {
        functions.notify("alice", &format!("n{at}")).await;
    }
    let before = redis.list(LIST).await;
    for _ in 0..3 {
        let _: () = redis.run("FLUSHALL").await;
        let reads = (0..20).map(|_| functions.feed("alice"));
        for answer in futures_util::future::join_all(reads).await {
            assert_eq!(answer.expect(200).json()["notifications"].as_array().unwrap().len(), 30);
        }
        assert_eq!(redis.list(LIST).await, before);
    }
}

#[tokio::test]
async fn an_entry_that_another_service_took_for_one_of_its_own_comes_back() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    let mut expected = Vec::new();
    for round in 0..2 {
        for at in 0..3 {
            let title = format!("{round}.{at}");
            functions.notify("alice", &title).await;
            expected.insert(0, title);
        }
        // As long as before, and with the same end.
        let _: String = redis.run_words(&["LPOP", LIST]).await;
        let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
        if round == 1 {
            functions.notify("alice", "last").await;
        }
        let feed = functions.feed("alice").await.expect(200).json();
        let titles = support::functions::titles(&feed);
        let ours: Vec<String> = titles.iter().filter(|title| *title != "theirs").cloned().collect();
        if round == 1 {
            expected.insert(0, "last".to_owned());
        }
        assert_eq!(ours, expected, "{titles:?}");
        assert_eq!(titles.len(), expected.len() + 1 + round, "theirs is there as well: {titles:?}");
        assert_eq!(feed["unread"], expected.len());
    }
}

#[tokio::test]
async fn a_full_feed_that_others_push_to_and_trim_stays_as_they_left_it() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for at in 0..shared::limits::FEED_ENTRIES_MAX {
        functions.notify("alice", &at.to_string()).await;
    }
    let theirs = json!({"userId": "alice", "title": "theirs"}).to_string();
    for _ in 0..3 {
        let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
        let _: () = redis.run_words(&["LTRIM", LIST, "0", "99"]).await;
    }
    let before = redis.list(LIST).await;
    redis.run::<()>("CONFIG RESETSTAT").await;
    for _ in 0..3 {
        assert_eq!(functions.feed("alice").await.expect(200).json()["unread"], 97);
    }
    assert_eq!(redis.list(LIST).await, before);
    assert_eq!(redis.calls("lpush").await, 0, "it was loaded again");
    // Now somebody takes one of ours in exchange.
    for _ in 0..4 {
        let _: String = redis.run_words(&["LPOP", LIST]).await;
    }
    for _ in 0..4 {
        let _: i64 = redis.run_words(&["LPUSH", LIST, &theirs]).await;
    }
    assert!(functions.titles("alice").await.contains(&"99".to_owned()));
}
