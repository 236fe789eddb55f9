//! Push tokens on every database: one owner each, Redis as the fast copy that other services share.

mod races;
mod reads;
mod requests;

use serde_json::{Value, json};
use support::{Answer, Functions, RedisServer, token};

use crate::api::records::{On, each_database};

const DAYS_269_S: i64 = 269 * 24 * 3600;

async fn call(functions: &Functions, method: &str, path: &str, body: Value) -> Answer {
    let call = functions.call(method, path).token(&token("svc", "tokens:read tokens:write"));
    match body {
        Value::Null => call.send().await,
        body => call.body(body.to_string()).send().await,
    }
}

/// `PUT /users/{user}/token`.
async fn put(functions: &Functions, user: &str, text: &str) -> Answer {
    call(functions, "PUT", &format!("/users/{user}/token"), json!({"token": text})).await
}

/// `GET /users/{user}/token`: the token, if there is one.
async fn get(functions: &Functions, user: &str) -> Option<String> {
    let answer = call(functions, "GET", &format!("/users/{user}/token"), Value::Null).await;
    if answer.status == 404 {
        answer.expect_problem(404, "not_found");
        return None;
    }
    let answer = answer.expect(200).json();
    assert_eq!(answer["userId"], user);
    Some(answer["token"].as_str().unwrap().to_owned())
}

async fn delete(functions: &Functions, user: &str) -> Answer {
    call(functions, "DELETE", &format!("/users/{user}/token"), Value::Null).await
}

/// What a plain client reads.
async fn plain(redis: &RedisServer, user: &str) -> Option<String> {
    redis.run_words(&["GET", &format!("user:{user}:token")]).await
}

async fn forget(redis: &RedisServer) {
    let _: () = redis.run("FLUSHALL").await;
}

impl On {
    async fn assert_has(&self, user: &str, expected: Option<&str>) {
        let name = self.name;
        let got = get(&self.functions, user).await;
        assert_eq!(got.as_deref(), expected, "{name}: {user}'s, answered");
        let lies = plain(&self.redis, user).await;
        assert_eq!(lies.as_deref(), expected, "{name}: {user}'s, in Redis");
        // And the record's own word.
        forget(&self.redis).await;
        let recorded = get(&self.functions, user).await;
        assert_eq!(recorded.as_deref(), expected, "{name}: {user}'s, in the record");
    }
}

#[tokio::test]
async fn a_token_is_written_read_and_deleted() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        assert_eq!(get(functions, "alice").await, None);
        put(functions, "alice", "t:1").await.expect(204);
        assert_eq!(plain(redis, "alice").await.as_deref(), Some("t:1"), "{}", on.name);
        let ttl: i64 = redis.run("TTL user:alice:token").await;
        assert!(ttl > DAYS_269_S, "{ttl}");
        let _: i64 = redis.run("EXPIRE user:alice:token 1000").await;
        put(functions, "alice", "t:1").await.expect(204);
        let ttl: i64 = redis.run("TTL user:alice:token").await;
        assert!(ttl > DAYS_269_S, "a write renews it: {ttl}");
        put(functions, "alice", "t:2").await.expect(204);
        on.assert_has("alice", Some("t:2")).await;
        for _ in 0..2 {
            delete(functions, "alice").await.expect(204);
            on.assert_has("alice", None).await;
        }
        put(functions, "alice", "t:2").await.expect(204);
        on.assert_has("alice", Some("t:2")).await;
        assert!(!functions.output().contains("t:2"), "a token is in the log");
    }
}

#[tokio::test]
async fn a_token_has_one_owner() {
    for on in each_database().await {
        let functions = &on.functions;
        put(functions, "alice", "phone").await.expect(204);
        put(functions, "bob", "other").await.expect(204);
        put(functions, "bob", "phone").await.expect(204);
        assert_eq!(plain(&on.redis, "alice").await, None, "{}: at once", on.name);
        on.assert_has("bob", Some("phone")).await;
        on.assert_has("alice", None).await;

        // Two that swap, and one who loses, in one call.
        put(functions, "alice", "pad").await.expect(204);
        let swapped = json!({"tokens": [
            {"userId": "alice", "token": "phone"},
            {"userId": "bob", "token": "pad"},
            {"userId": "carol", "token": "pad2"},
            {"userId": "dave", "token": "pad2"},
        ]});
        let answer = call(functions, "PUT", "/tokens", swapped).await.expect(200);
        assert_eq!(answer.json(), json!({"written": 3}), "{}", on.name);
        let expected = [
            ("alice", Some("phone")),
            ("bob", Some("pad")),
            ("carol", None),
            ("dave", Some("pad2")),
        ];
        for (user, expected) in expected {
            on.assert_has(user, expected).await;
        }
    }
}

#[tokio::test]
async fn the_old_owner_keeps_what_another_service_gave_them() {
    for on in each_database().await {
        put(&on.functions, "alice", "phone").await.expect(204);
        let _: () = on.redis.run("SET user:alice:token theirs EX 1000").await;
        put(&on.functions, "bob", "phone").await.expect(204);
        assert_eq!(get(&on.functions, "alice").await.as_deref(), Some("theirs"), "{}", on.name);
    }
}

#[tokio::test]
async fn a_thousand_are_written_and_pruned_in_one_round_trip() {
    for on in each_database().await {
        let pairs = |range: std::ops::Range<usize>, mark: &str| {
            let pair =
                |at: usize| json!({"userId": format!("u{at}"), "token": format!("{mark}{at}")});
            json!({"tokens": range.map(pair).collect::<Vec<_>>()})
        };
        let (functions, redis) = (&on.functions, &on.redis);
        // Knows the script from here on.
        call(functions, "PUT", "/tokens", pairs(0..1, "old")).await.expect(200);
        let _: () = redis.run("CONFIG RESETSTAT").await;
        let answer = call(functions, "PUT", "/tokens", pairs(0..1000, "t")).await.expect(200);
        assert_eq!(answer.json(), json!({"written": 1000}), "{}", on.name);
        let stats: String = redis.run("INFO commandstats").await;
        assert!(stats.contains("cmdstat_evalsha:calls=1,"), "{stats}");
        let many: i64 = redis.run("DBSIZE").await;
        assert_eq!(many, 2000);
        on.assert_has("u999", Some("t999")).await;
        call(functions, "PUT", "/tokens", pairs(0..1000, "t")).await.expect(200);

        // Some moved on, one in Redis only.
        call(functions, "PUT", "/tokens", pairs(0..10, "new")).await.expect(200);
        let _: () = redis.run("SET user:u10:token theirs EX 1000").await;
        let _: () = redis.run("SET user:x:token t EX 1000").await;
        let mut dead = pairs(0..999, "t");
        let last = json!({"userId": "x", "token": "t"});
        dead["tokens"].as_array_mut().unwrap().push(last);
        let answer = call(functions, "POST", "/tokens/prune", dead.clone()).await.expect(200);
        assert_eq!(answer.json(), json!({"deleted": 990}), "{}", on.name);
        let answer = call(functions, "POST", "/tokens/prune", dead).await.expect(200);
        assert_eq!(answer.json(), json!({"deleted": 0}), "{}", on.name);
        assert_eq!(get(functions, "u10").await.as_deref(), Some("theirs"));
        for (user, expected) in [("u9", Some("new9")), ("u500", None), ("u999", Some("t999"))] {
            assert_eq!(get(functions, user).await.as_deref(), expected, "{}: {user}", on.name);
        }
        assert_eq!(get(functions, "x").await, None);

        for path_and_method in [("PUT", "/tokens"), ("POST", "/tokens/prune")] {
            let (method, path) = path_and_method;
            let answer = call(functions, method, path, pairs(0..1001, "t")).await;
            let answer = answer.expect_problem(400, "limit_exceeded");
            assert!(answer.text().contains("1000"), "{}", answer.text());
            let none = call(functions, method, path, json!({"tokens": []})).await.expect(200);
            assert!(none.text().contains(":0}"), "{}", none.text());
        }
    }
}

#[tokio::test]
async fn other_services_read_and_write_the_same_key() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        // What another service set is what is answered, also where it is known that there was none.
        assert_eq!(get(functions, "alice").await, None);
        let _: () = redis.run("SET user:alice:token theirs").await;
        assert_eq!(get(functions, "alice").await.as_deref(), Some("theirs"), "{}", on.name);
        let ttl: i64 = redis.run("TTL user:alice:token").await;
        assert!(ttl > DAYS_269_S, "it gets an expiry: {ttl}");
        put(functions, "alice", "ours").await.expect(204);
        let _: () = redis.run("SET user:alice:token theirs EX 1000").await;
        assert_eq!(get(functions, "alice").await.as_deref(), Some("theirs"), "{}", on.name);
        // What another service deleted comes back from the record.
        let _: i64 = redis.run("DEL user:alice:token").await;
        assert_eq!(get(functions, "alice").await.as_deref(), Some("ours"), "{}", on.name);
        assert_eq!(plain(redis, "alice").await.as_deref(), Some("ours"), "{}", on.name);
        // Bytes that are no token are no answer.
        let bytes = redis::cmd("SET").arg("user:alice:token").arg(&[0xff_u8][..]).to_owned();
        let _: () = bytes.query_async(&mut redis.connection().await).await.unwrap();
        redis.expect_foreign("user:alice:token");
        assert_eq!(get(functions, "alice").await.as_deref(), Some("ours"), "{}", on.name);
    }
}

#[tokio::test]
async fn a_user_without_a_token_is_asked_for_once_a_minute() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        assert_eq!(get(functions, "alice").await, None);
        let ttl: i64 = redis.run("TTL bw:token:{user:alice:token}").await;
        assert!(ttl > 0, "{}: {ttl}", on.name);
        let state: String = redis.run("GET bw:token:{user:alice:token}").await;
        let time: Vec<i64> = redis.run("TIME").await;
        let until_s: i64 = state.split(' ').nth(1).unwrap().parse().unwrap();
        assert!((50..=60).contains(&(until_s - time[0])), "{state}");
        // With the record in the same state but the minute over, it is asked again.
        let _: () =
            redis.run_words(&["SET", "bw:token:{user:alice:token}", "0 1 -", "EX", "9"]).await;
        assert_eq!(get(functions, "alice").await, None);
        let again: String = redis.run("GET bw:token:{user:alice:token}").await;
        assert_ne!(again, "0 1 -", "{}", on.name);
    }
}

#[tokio::test]
async fn erasing_a_user_erases_the_token_everywhere() {
    for on in each_database().await {
        put(&on.functions, "alice", "phone").await.expect(204);
        let eraser = token("an operator", "ops:write");
        let erase = || on.functions.call("DELETE", "/users/alice").token(&eraser).send();
        erase().await.expect(204);
        on.assert_has("alice", None).await;
        // Also what is no string.
        let _: i64 = on.redis.run("LPUSH user:alice:token x").await;
        erase().await.expect(204);
        assert_eq!(get(&on.functions, "alice").await, None);
        // The token is free for another one.
        put(&on.functions, "bob", "phone").await.expect(204);
        on.assert_has("bob", Some("phone")).await;
    }
}

#[tokio::test]
async fn a_key_of_another_type_is_told_and_the_others_are_written() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        let _: i64 = redis.run("LPUSH user:alice:token x").await;
        redis.expect_foreign("user:alice:token");
        put(functions, "alice", "phone").await.expect_problem(409, "wrong_type");
        delete(functions, "alice").await.expect_problem(409, "wrong_type");
        let answer = call(functions, "GET", "/users/alice/token", Value::Null).await;
        answer.expect_problem(409, "wrong_type");
        let both = json!({"tokens": [
            {"userId": "alice", "token": "a"}, {"userId": "bob", "token": "b"},
        ]});
        call(functions, "PUT", "/tokens", both).await.expect_problem(409, "wrong_type");
        on.redis.list("user:alice:token").await;
        on.assert_has("bob", Some("b")).await;
    }
}
