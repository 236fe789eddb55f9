//! `POST /notifications`: what is answered, stored and published.

use serde_json::{Value, json};
use support::{Functions, Published, RedisServer};

#[tokio::test]
async fn a_created_notification_lies_in_the_feed_as_it_was_published() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;

    let answer = functions
        .create(&json!({"userId": "alice", "title": "Hello", "body": "wörld", "kind": "greeting"}))
        .await
        .expect(201);
    let created = answer.json();
    assert_eq!(created["delivery"], "sent");
    assert_eq!(created["seq"], 1);
    assert_eq!((&created["title"], &created["body"]), (&json!("Hello"), &json!("wörld")));
    let location = format!("/users/alice/notifications/{}", created["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), location);

    let stored = redis.list("notifications:alice").await;
    assert_eq!(stored.len(), 1);
    let epoch = functions.record.epoch();
    let expected =
        format!(r#"{{"notification":{},"bw":{{"epoch":"{epoch}","seq":1}}}}"#, stored[0]);
    assert_eq!(published.exactly(1).await, [expected]);

    // `delivery` is an overlay of answers, never of stored or published bytes.
    let mut without_overlay = created.clone();
    without_overlay.as_object_mut().unwrap().remove("delivery");
    assert_eq!(serde_json::from_str::<Value>(&stored[0]).unwrap(), without_overlay);
    assert_eq!(functions.feed("alice").await.expect(200).json()["notifications"], json!([created]));
}

#[tokio::test]
async fn an_idempotency_key_may_stand_once() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for keys in [["a", "b"], ["a", "a"]] {
        let body = json!({"userId": "alice", "title": "one"}).to_string();
        let mut call = functions.post("/notifications", body);
        for key in keys {
            call = call.header("idempotency-key", key);
        }
        let call = call.token(&support::token("mailer", "notifications:write"));
        let problem = call.send().await.expect_problem(400, "invalid_field").json();
        assert!(problem["detail"].as_str().unwrap().contains("idempotency-key"), "{problem}");
    }
    assert!(functions.titles("alice").await.is_empty());
}

#[tokio::test]
async fn ids_are_version_7_and_absent_members_are_omitted() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let created = functions.notify("alice", "one").await;
    let members: Vec<&str> = created.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = ["createdAt", "delivery", "id", "seq", "title", "userId"];
    expected.sort_unstable();
    assert_eq!(members, expected);
    let id = created["id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "{id}");
    let created_at = created["createdAt"].as_str().unwrap();
    assert!(shared::time::parse_rfc3339(created_at).is_some(), "{created_at}");

    let next = functions.notify("alice", "two").await;
    assert_eq!(next["seq"], 2);
    assert_ne!(next["id"], created["id"]);
    // Every user counts for himself.
    assert_eq!(functions.notify("bob", "one").await["seq"], 1);
}

#[tokio::test]
async fn data_stays_the_bytes_that_came() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    let texts = [
        "[]",
        "{}",
        "[[],{}]",
        "123456789012345678901234567890",
        "-0.0",
        "1.0e2",
        "1E400",
        "\"\"",
        "\"\\u00e9\\/\\n\"",
        "{\"b\":1,\"a\":2,\"b2\":[1 ,2]}",
        "{ \"spaced\" :\t[ 1,\n 2 ] }",
        "\"ünïcödé \u{1F600}\"",
        "\"\\\\u0000 is only text here\"",
        "false",
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let body = format!(r#"{{"userId":"alice","title":"t","data":{text}}}"#);
        let answer = functions.create_raw(&body).await.expect(201);
        let member = format!(r#","data":{text},"#);
        assert!(answer.text().contains(&member), "{text}: {}", answer.text());
        let newest = redis.list("notifications:alice").await.remove(0);
        assert!(newest.contains(&member), "{text}: {newest}");
        let messages = published.exactly(at + 1).await;
        assert!(messages[at].contains(&member), "{text}: {}", messages[at]);
        let feed = functions.feed("alice").await.expect(200);
        assert!(feed.text().contains(&member), "{text}: {}", feed.text());
    }
    // Also on the way through the record.
    let _: () = redis.run("FLUSHALL").await;
    let feed = functions.feed("alice").await.expect(200);
    for text in texts {
        assert!(feed.text().contains(&format!(r#","data":{text},"#)), "{text}: {}", feed.text());
    }
}

#[tokio::test]
async fn an_integer_user_id_counts_as_its_decimal_text() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let created = functions.create(&json!({"userId": 7, "title": "seven"})).await.expect(201);
    assert_eq!(created.json()["userId"], "7");
    assert_eq!(functions.titles("7").await, ["seven"]);
}

#[tokio::test]
async fn feed_and_companion_live_thirty_days_after_the_last_write() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let keys = ["notifications:alice", "bw:feed:{notifications:alice}"];
    for title in ["one", "two"] {
        functions.notify("alice", title).await;
        for key in keys {
            let ttl: i64 = redis.run_words(&["TTL", key]).await;
            let days = 30 * 24 * 3600;
            assert!((days - 60..=days).contains(&ttl), "{key}: {ttl}");
            // The next write must renew it.
            let _: i64 = redis.run_words(&["EXPIRE", key, "1000"]).await;
        }
    }
}

#[tokio::test]
async fn redis_holds_the_newest_hundred() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    for at in 1..=103 {
        functions.notify("alice", &format!("n{at}")).await;
    }
    let expected: Vec<String> = (4..=103).rev().map(|at| format!("n{at}")).collect();
    assert_eq!(redis.list("notifications:alice").await.len(), 100);
    let feed = functions.feed("alice").await.expect(200).json();
    assert_eq!(support::functions::titles(&feed), expected);
    assert_eq!(feed["unread"], 100);
    // The same from the record.
    let _: () = redis.run("FLUSHALL").await;
    assert_eq!(functions.titles("alice").await, expected);
    assert_eq!(redis.list("notifications:alice").await.len(), 100);
}
