//! `POST /tokens/read`: the tokens of many users, from Redis first.

use serde_json::{Value, json};
use support::{Answer, Functions};

use super::{call, forget, plain, put};
use crate::api::records::each_database;

async fn read(functions: &Functions, users: Value) -> Answer {
    call(functions, "POST", "/tokens/read", json!({ "userIds": users })).await
}

#[tokio::test]
async fn many_tokens_are_read_from_redis_and_the_rest_from_the_record() {
    for on in each_database().await {
        let (functions, redis) = (&on.functions, &on.redis);
        put(functions, "alice", "phone").await.expect(204);
        put(functions, "7", "pad").await.expect(204);
        forget(redis).await;
        put(functions, "bob", "tv").await.expect(204);
        let _: () = redis.run("SET user:carol:token theirs EX 1000").await;
        let users = json!(["alice", 7, "bob", "carol", "nobody", "alice"]);
        let expected = json!({"tokens": {
            "alice": "phone", "7": "pad", "bob": "tv", "carol": "theirs", "nobody": null,
        }});
        let answer = read(functions, users.clone()).await.expect(200);
        assert_eq!(answer.json(), expected, "{}", on.name);
        assert_eq!(answer.header("cache-control"), "no-store");
        // Refilled, and known to be absent.
        assert_eq!(plain(redis, "alice").await.as_deref(), Some("phone"), "{}", on.name);
        let absent: i64 = redis.run("EXISTS bw:token:{user:nobody:token}").await;
        assert_eq!(absent, 1, "{}", on.name);
        let _: () = redis.run("CONFIG RESETSTAT").await;
        assert_eq!(read(functions, users.clone()).await.expect(200).json(), expected);
        let stats: String = redis.run("INFO commandstats").await;
        assert!(stats.contains("cmdstat_evalsha:calls=1,"), "{}: {stats}", on.name);

        // A key of another type is no token; the record's is answered, and the key left alone.
        let _: i64 = redis.run("DEL user:alice:token").await;
        let _: i64 = redis.run("LPUSH user:alice:token x").await;
        redis.expect_foreign("user:alice:token");
        assert_eq!(read(functions, users.clone()).await.expect(200).json(), expected);
        redis.list("user:alice:token").await;
        redis.kill();
        let mut without = expected;
        without["tokens"]["carol"] = Value::Null;
        assert_eq!(read(functions, users).await.expect(200).json(), without, "{}", on.name);
    }
}

#[tokio::test]
async fn a_thousand_tokens_are_read_at_once() {
    for on in each_database().await {
        let functions = &on.functions;
        let ids = |count: usize| (0..count).map(|at| format!("u{at}")).collect::<Vec<_>>();
        let tokens: Vec<Value> =
            ids(1000).iter().map(|id| json!({"userId": id, "token": format!("t-{id}")})).collect();
        call(functions, "PUT", "/tokens", json!({ "tokens": tokens })).await.expect(200);
        for _ in 0..2 {
            let answer = read(functions, json!(ids(1000))).await.expect(200).json();
            let tokens = answer["tokens"].as_object().unwrap();
            assert_eq!(tokens.len(), 1000, "{}", on.name);
            assert_eq!(tokens["u999"], "t-u999", "{}", on.name);
            forget(&on.redis).await;
        }
        let answer = read(functions, json!(ids(1001))).await;
        answer.expect_problem(400, "limit_exceeded");
        assert_eq!(read(functions, json!([])).await.expect(200).json(), json!({"tokens": {}}));
        for (users, code) in [(json!([true]), "invalid_field"), (json!(["a b"]), "invalid_id")] {
            let answer = read(functions, users).await.expect_problem(400, code);
            assert!(answer.text().contains("userIds[0]"), "{}", answer.text());
        }
    }
}
