//! A batch for many users: they share calls of Redis, and nothing else.

use redis::Value as RedisValue;
use serde_json::{Value, json};
use shared::limits::BATCH_NOTIFICATIONS_MAX;
use support::{Functions, Published, RedisServer, token};

const USERS: usize = 100;
/// `USERS_PER_CALL` of `runtime::feed::delivery`.
const USERS_PER_CALL: u64 = 16;

fn user(at: usize) -> String {
    format!("u{at:03}")
}

/// One notification for each user; returns the results.
async fn fan_out(functions: &Functions, title: &str) -> Vec<Value> {
    fan_out_to(functions, USERS, title).await
}

async fn fan_out_to(functions: &Functions, users: usize, title: &str) -> Vec<Value> {
    let each = (0..users).map(|at| json!({"userId": user(at), "title": title}));
    let body = json!({ "notifications": each.collect::<Vec<_>>() }).to_string();
    let call = functions.post("/notifications/batch", body);
    let call = call.token(&token("svc", "notifications:write"));
    let answer = call.send().await.expect(200).json();
    answer["results"].as_array().expect("results").clone()
}

/// The users whose notifications are not in their feeds yet.
fn pending(results: &[Value]) -> Vec<String> {
    let notifications = results.iter().map(|result| &result["notification"]);
    let late = notifications.filter(|notification| notification["delivery"] != "sent");
    late.map(|notification| notification["userId"].as_str().unwrap().to_owned()).collect()
}

async fn scripts(redis: &RedisServer) -> u64 {
    redis.calls("evalsha").await
}

#[tokio::test]
async fn users_share_calls_and_each_is_told_once() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let published = Published::subscribe(&redis).await;
    // The first entries load their feeds; a call that Redis does not know yet is repeated as EVAL.
    assert!(pending(&fan_out(&functions, "one").await).is_empty());
    published.exactly(USERS).await;
    let before = scripts(&redis).await;
    assert!(pending(&fan_out(&functions, "two").await).is_empty());
    assert_eq!(scripts(&redis).await - before, (USERS as u64).div_ceil(USERS_PER_CALL));
    published.exactly(2 * USERS).await;
    for at in 0..USERS {
        assert_eq!(published.seqs(&user(at)).await, [1, 2]);
        assert_eq!(functions.titles(&user(at)).await, ["two", "one"]);
    }
}

#[tokio::test]
async fn the_trouble_of_one_user_is_theirs_alone() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    fan_out(&functions, "one").await;
    // Another service has put something else at a feed's place, has emptied one, and has added to one.
    let theirs = r#"{"id":"theirs","userId":"u009"}"#;
    for words in [
        ["SET", "notifications:u007", "text"].as_slice(),
        &["DEL", "notifications:u008"],
        &["LPUSH", "notifications:u009", theirs],
        &["DEL", "bw:feed:{notifications:u010}"],
    ] {
        redis.run_words::<RedisValue>(words).await;
    }
    redis.expect_foreign("notifications:u007");
    assert_eq!(pending(&fan_out(&functions, "two").await), ["u007"]);
    for at in (0..USERS).filter(|at| *at != 7) {
        let titles = functions.titles(&user(at)).await;
        assert_eq!(titles.iter().filter(|title| *title == "two").count(), 1, "{at}: {titles:?}");
        assert!(titles.contains(&"one".to_owned()), "{at}: {titles:?}");
    }
    assert!(redis.list("notifications:u009").await.contains(&theirs.to_owned()));
}

#[tokio::test]
async fn a_call_that_is_refused_for_one_user_is_made_for_the_others() {
    let redis = RedisServer::start().await;
    // Of the feeds, all but those of users whose number ends with 7.
    redis.run::<()>("ACL SETUSER app on nopass ~*[^7] &* +@all").await;
    let url = format!("redis://app:any@{}", redis.address());
    let functions = Functions::at(&url, &redis.address()).start().await;
    let refused: Vec<String> = (7..USERS).step_by(10).map(user).collect();
    for (number, title) in ["one", "two"].into_iter().enumerate() {
        assert_eq!(pending(&fan_out(&functions, title).await), refused);
        for at in (0..USERS).filter(|at| at % 10 != 7) {
            assert_eq!(redis.list(&format!("notifications:{}", user(at))).await.len(), number + 1);
        }
    }
}

/// Every one of the most that a batch may have is repaired by calls of its own, of which an instance
/// has room for a thousand at the same time.
#[tokio::test]
async fn all_feeds_of_the_largest_batch_are_cold() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    fan_out_to(&functions, BATCH_NOTIFICATIONS_MAX, "one").await;
    redis.run::<()>("FLUSHALL").await;
    assert!(pending(&fan_out_to(&functions, BATCH_NOTIFICATIONS_MAX, "two").await).is_empty());
    // A full Redis takes none of them; the relay brings them once it takes writes.
    redis.run::<()>("CONFIG SET maxmemory 1").await;
    let late = pending(&fan_out_to(&functions, BATCH_NOTIFICATIONS_MAX, "three").await);
    assert_eq!(late.len(), BATCH_NOTIFICATIONS_MAX);
    redis.run::<()>("CONFIG SET maxmemory 0").await;
    functions.relay().await.expect(200);
    for at in (0..BATCH_NOTIFICATIONS_MAX).step_by(50) {
        assert_eq!(functions.titles(&user(at)).await, ["three", "two", "one"]);
    }
}

#[tokio::test]
async fn without_redis_all_are_pending_and_the_relay_brings_them() {
    let redis = RedisServer::start_durable().await;
    let functions = Functions::start(&redis).await;
    fan_out(&functions, "one").await;
    redis.kill();
    assert_eq!(pending(&fan_out(&functions, "two").await).len(), USERS);
    redis.restart().await;
    functions.relay().await.expect(200);
    for at in 0..USERS {
        assert_eq!(functions.titles(&user(at)).await, ["two", "one"]);
    }
}
