//! `GET /stats` and `GET /keys`: what Redis holds.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::{Answer, Functions, RedisServer, token};

async fn ask(functions: &Functions, target: &str) -> Answer {
    functions.get(target).token(&token("an operator", "ops:read")).send().await
}

async fn send(functions: &Functions, queue: &str, body: Value) {
    let target = format!("/queues/{queue}/messages");
    let token = token("a worker", "queues:write");
    functions.post(&target, body.to_string()).token(&token).send().await.expect(200);
}

#[tokio::test]
async fn stats_are_redis_own_numbers() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    redis.run::<()>("CONFIG RESETSTAT").await;
    let stats = ask(&functions, "/stats").await.expect(200).json();
    assert_eq!((&stats["totalKeys"], &stats["queues"]), (&json!(0), &json!({})));
    // Nothing was looked up yet.
    assert_eq!(stats["hitRate"], Value::Null);

    for key in ["a", "b", "c"] {
        redis.run::<()>(&format!("SET {key} 1 EX 600")).await;
    }
    redis.run::<()>("CONFIG RESETSTAT").await;
    for key in ["a", "b", "missing"] {
        redis.run::<Option<String>>(&format!("GET {key}")).await;
    }
    let stats = ask(&functions, "/stats").await.expect(200).json();
    assert_eq!(stats["totalKeys"], 3);
    assert_eq!(stats["keyspaceHits"], 2);
    assert_eq!(stats["keyspaceMisses"], 1);
    assert_eq!(stats["hitRate"], 66);
    assert!(stats["connectedClients"].as_i64().unwrap() >= 1, "{stats}");
    assert!(stats["usedMemory"].as_i64().unwrap() > 100_000, "{stats}");
}

#[tokio::test]
async fn what_redis_does_not_tell_is_null() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    redis.run::<()>("ACL SETUSER default -info").await;
    let stats = ask(&functions, "/stats?queues=work").await.expect(200).json();
    for name in ["connectedClients", "usedMemory", "totalKeys", "hitRate"] {
        assert_eq!(stats[name], Value::Null, "{name}");
    }
    assert_eq!(stats["queues"]["work"]["ready"], 0);
    redis.kill();
    ask(&functions, "/stats").await.expect_problem(503, "redis_unavailable");
    ask(&functions, "/keys").await.expect_problem(503, "redis_unavailable");
}

#[tokio::test]
async fn depths_are_those_that_the_queue_itself_tells() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    send(&functions, "work", json!({"messages": [1, 2]})).await;
    send(&functions, "work", json!({"messages": [3], "delaySeconds": 600})).await;
    send(&functions, "notification:responses", json!({"messages": [1]})).await;
    let target = "/stats?queues=work,notification:responses,work,nothing";
    let queues = &ask(&functions, target).await.expect(200).json()["queues"];
    assert_eq!(queues.as_object().unwrap().len(), 3);
    for queue in ["work", "notification:responses", "nothing"] {
        let depth = &queues[queue];
        assert_eq!(depth["inFlight"], 0, "{queue}");
        let token = token("a worker", "queues:write");
        let answer = functions.get(&format!("/queues/{queue}")).token(&token).send().await;
        let own = answer.expect(200).json();
        for member in ["ready", "delayed", "inFlight", "dead"] {
            assert_eq!(depth[member], own[member], "{queue} {member}");
        }
    }
    assert_eq!(queues["work"]["ready"], 2);
    assert_eq!(queues["work"]["delayed"], 1);

    let names = |count: usize| format!("/stats?queues={}", vec!["q"; count].join(","));
    ask(&functions, &names(20)).await.expect(200);
    for (target, code) in [
        (names(21).as_str(), "limit_exceeded"),
        ("/stats?queues=", "invalid_id"),
        ("/stats?queues=a,,b", "invalid_id"),
        ("/stats?queues=a%20b", "invalid_id"),
        ("/stats?queues=a,user:alice:token", "reserved_name"),
        ("/stats?queue=a", "unknown_field"),
    ] {
        ask(&functions, target).await.expect_problem(400, code);
    }
    redis.run::<()>("SET text 1 EX 600").await;
    ask(&functions, "/stats?queues=work,text").await.expect_problem(409, "wrong_type");
}

#[tokio::test]
async fn keys_come_in_pages() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let fill = "for i=0,249 do for _,k in ipairs{'a:','b:'} do \
                redis.call('SET',k..i,'1','EX','600') end end";
    redis.run_words::<()>(&["EVAL", fill, "0"]).await;
    let expected: BTreeSet<String> = (0..250).map(|number| format!("a:{number}")).collect();
    let (mut seen, mut cursor, mut pages) = (BTreeSet::new(), "0".to_owned(), 0);
    loop {
        let target = format!("/keys?pattern=a:*&count=20&cursor={cursor}");
        let page = ask(&functions, &target).await.expect(200).json();
        let keys = page["keys"].as_array().unwrap();
        seen.extend(keys.iter().map(|key| key.as_str().unwrap().to_owned()));
        cursor = page["cursor"].as_str().unwrap().to_owned();
        pages += 1;
        if cursor == "0" {
            break;
        }
        assert!(pages < 500, "the scan does not end");
    }
    assert_eq!(seen, expected);
    assert!(pages > 10, "{pages} pages");
    let all = ask(&functions, "/keys?count=1000").await.expect(200).json();
    assert_eq!((all["keys"].as_array().unwrap().len(), &all["cursor"]), (500, &json!("0")));
    let ten = ask(&functions, "/keys?pattern=b%3A24%3F&count=1000").await.expect(200).json();
    assert_eq!(ten["keys"].as_array().unwrap().len(), 10);
    let calls: String = redis.run("INFO commandstats").await;
    assert!(calls.contains("cmdstat_scan:") && !calls.contains("cmdstat_keys:"), "{calls}");
}

#[tokio::test]
async fn keys_that_are_no_text_are_shown_and_limits_are_named() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let set = "redis.call('SET','k\\255y','1','EX','600')";
    redis.run_words::<()>(&["EVAL", set, "0"]).await;
    let page = ask(&functions, "/keys").await.expect(200).json();
    assert_eq!(page, json!({"keys": ["k\\xffy"], "cursor": "0"}));
    let long = format!("/keys?pattern={}", "x".repeat(257));
    for (target, code, field) in [
        ("/keys?count=0", "invalid_field", "count"),
        ("/keys?count=1001", "invalid_field", "count"),
        ("/keys?cursor=x", "invalid_field", "cursor"),
        ("/keys?limit=1", "unknown_field", "limit"),
        (&long, "limit_exceeded", "pattern"),
    ] {
        let answer = ask(&functions, target).await.expect_problem(400, code);
        assert_eq!(answer.json()["field"], field, "{target}");
    }
    // The look at what is left at the end reads names as text.
    redis.run::<()>("FLUSHALL").await;
}

#[tokio::test]
async fn only_the_scope_shows_what_redis_holds() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let other = token("a worker", "ops:write queues:write feed:read");
    for target in ["/stats", "/keys"] {
        functions.get(target).send().await.expect_problem(401, "unauthorized");
        functions.get(target).token(&other).send().await.expect_problem(403, "forbidden");
        let answer = functions.post(target, "").send().await;
        let answer = answer.expect_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}
