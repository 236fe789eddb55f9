//! Push tokens while calls overtake each other, and while Redis is away or full.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use shared::limits::PUSH_TOKEN_FENCE_S;
use support::{Functions, Proxy, RedisServer};

use super::{call, delete, get, plain, put};
use crate::api::records::each_database;

const BOUND: Duration = Duration::from_secs(9);

#[tokio::test]
async fn while_redis_is_away_the_record_answers_and_a_write_may_be_repeated() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        put(functions, "alice", "phone").await.expect(204);
        put(functions, "carol", "pad").await.expect(204);
        redis.kill();
        assert_eq!(get(functions, "alice").await.as_deref(), Some("phone"), "{}", on.name);
        assert_eq!(get(functions, "nobody").await, None);
        let moved = json!({"tokens": [{"userId": "bob", "token": "phone"}]});
        let pruned = json!({"tokens": [{"userId": "carol", "token": "pad"}]});
        let writes = [
            ("PUT", "/users/bob/token", json!({"token": "phone"})),
            ("PUT", "/tokens", moved),
            ("POST", "/tokens/prune", pruned),
        ];
        for (method, path, body) in &writes {
            let answer = call(functions, method, path, body.clone()).await.within(BOUND);
            let answer = answer.expect_problem(503, "redis_unavailable");
            assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        }
        assert_eq!(get(functions, "alice").await, None, "{}: the record knows", on.name);

        // Back with what it knew before, which is wrong by now: the repetition sets it right.
        redis.restart().await;
        for (user, stale) in [("alice", "phone"), ("carol", "pad")] {
            let key = format!("user:{user}:token");
            let _: () = redis.run_words(&["SET", &key, stale, "EX", "1000"]).await;
        }
        for (method, path, body) in writes {
            let answer = call(functions, method, path, body).await;
            assert!(matches!(answer.status, 200 | 204), "{path}: {}", answer.text());
        }
        assert_eq!(plain(redis, "alice").await, None, "{}: the old owner's", on.name);
        assert_eq!(plain(redis, "carol").await, None, "{}: the dead one", on.name);
        on.assert_has("bob", Some("phone")).await;
    }
}

#[tokio::test]
async fn of_two_puts_whose_calls_of_redis_cross_the_later_one_counts() {
    let redis = RedisServer::start().await;
    let proxy = Proxy::to(&redis.address()).await;
    let slow = Functions::with(&redis).redis_at(&proxy.address()).start().await;
    let fast = Functions::with(&redis).record(&slow.record).start().await;
    // Connections are open and scripts known.
    put(&slow, "alice", "zero").await.expect(204);
    for (later, expected) in [("put", Some("second")), ("delete", None)] {
        proxy.hold();
        let first = async {
            let answer = put(&slow, "alice", "first").await;
            // Longer than its deadline or not: what it sent arrives.
            assert!(matches!(answer.status, 204 | 503), "{}", answer.text());
        };
        let second = async {
            support::eventually("the first one's call is under way", async || {
                (proxy.held_bytes() > 0).then_some(())
            })
            .await;
            match later {
                "put" => put(&fast, "alice", "second").await.expect(204),
                _ => delete(&fast, "alice").await.expect(204),
            };
            proxy.release();
        };
        tokio::join!(first, second);
        assert_eq!(plain(&redis, "alice").await.as_deref(), expected, "{later}");
        assert_eq!(get(&fast, "alice").await.as_deref(), expected, "{later}");
    }
}

#[tokio::test]
async fn many_who_want_one_token_leave_it_with_one() {
    for on in each_database().await {
        let users: Vec<String> = (0..20).map(|at| format!("u{at}")).collect();
        for _ in 0..3 {
            let puts = users.iter().map(|user| put(&on.functions, user, "phone"));
            let mut written = 0;
            for answer in join_all(puts).await {
                // On a busy machine Postgres may not open twenty connections in time.
                match answer.status {
                    503 => drop(answer.expect_problem(503, "record_unavailable")),
                    _ => {
                        answer.expect(204);
                        written += 1;
                    }
                }
            }
            assert!(written > 0, "{}", on.name);
            let mut owners = 0;
            for user in &users {
                let lies = plain(&on.redis, user).await;
                assert_eq!(get(&on.functions, user).await, lies, "{}", on.name);
                owners += usize::from(lies.is_some());
            }
            assert_eq!(owners, 1, "{}", on.name);
        }
    }
}

#[tokio::test]
async fn a_full_redis_is_told_and_still_read() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    put(&functions, "alice", "phone").await.expect(204);
    put(&functions, "bob", "pad").await.expect(204);
    let _: i64 = redis.run("DEL user:bob:token").await;
    let _: () = redis.run("CONFIG SET maxmemory 1").await;
    for (user, expected) in [("alice", "phone"), ("bob", "pad")] {
        assert_eq!(get(&functions, user).await.as_deref(), Some(expected));
    }
    put(&functions, "alice", "new").await.expect_problem(503, "redis_unavailable");
    let _: () = redis.run("CONFIG SET maxmemory 0").await;
    put(&functions, "alice", "new").await.expect(204);
    assert_eq!(plain(&redis, "alice").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_companion_that_another_service_wrote_rejects_writes_for_a_while_only() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let companion = "bw:token:{user:alice:token}";
    for call in ["PUT", "GET"] {
        // Later than any revision of the record.
        redis.run_words::<()>(&["SET", companion, "9007199254740991 0 -"]).await;
        match call {
            "PUT" => drop(put(&functions, "alice", "phone").await.expect(204)),
            _ => assert_eq!(get(&functions, "alice").await.as_deref(), Some("phone")),
        }
        assert_eq!(plain(&redis, "alice").await, None);
        let left_s: i64 = redis.run_words(&["TTL", companion]).await;
        assert!((1..=PUSH_TOKEN_FENCE_S).contains(&left_s), "{call}: {left_s}");
    }
}
