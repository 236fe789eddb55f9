//! Readiness, statistics and keys of all masters.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use support::{Answer, Functions, RedisCluster, token};

use super::create;

const BOUND: Duration = Duration::from_secs(5);

async fn ask(functions: &Functions, target: &str) -> Answer {
    functions.get(target).token(&token("an operator", "ops:read")).send().await
}

#[tokio::test]
async fn readiness_names_the_master_that_does_not_answer_or_lacks_a_permission() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    functions.get("/readyz").send().await.expect(200);
    let [_, master, ..] = cluster.nodes.as_slice() else { unreachable!() };
    master.run::<()>("ACL SETUSER default -lpush").await;
    let answer = functions.get("/readyz").send().await.expect_problem(503, "not_ready");
    let named = format!("LPUSH on notifications:* (at {})", master.address());
    assert!(answer.text().contains(&named), "{}", answer.text());
    master.run::<()>("ACL SETUSER default +@all").await;
    functions.get("/readyz").send().await.expect(200);
    master.kill();
    let answer = functions.get("/readyz").send().await.within(BOUND);
    let answer = answer.expect_problem(503, "redis_unavailable");
    assert!(answer.text().contains(&master.address()), "{}", answer.text());
    support::eventually("the replica has taken over", async || {
        (functions.get("/readyz").send().await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn statistics_are_sums_over_the_masters() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    for at in 0..30 {
        create(&functions, &format!("u{at}"), "one").await;
    }
    let (mut keys, mut memory) = (0, 0);
    for master in cluster.masters().await {
        keys += master.run::<i64>("DBSIZE").await;
        memory += 1_000_000;
    }
    let stats = ask(&functions, "/stats?queues=work").await.expect(200).json();
    assert_eq!(stats["totalKeys"], keys);
    assert!(keys >= 60, "{keys}");
    assert!(stats["usedMemory"].as_i64().unwrap() > memory, "{stats}");
    assert_eq!(stats["queues"]["work"]["ready"], 0);
    for node in cluster.masters().await.into_iter().take(1) {
        node.run::<()>("ACL SETUSER default -info").await;
    }
    let stats = ask(&functions, "/stats").await.expect(200).json();
    assert_eq!(stats["totalKeys"], Value::Null, "a part of a sum is no sum");
    for node in &cluster.nodes {
        node.run::<()>("ACL SETUSER default +@all").await;
    }
}

#[tokio::test]
async fn keys_come_from_every_master_in_pages() {
    let cluster = RedisCluster::start().await;
    let functions = Functions::on(&cluster).start().await;
    let mut expected = BTreeSet::new();
    for at in 0..150 {
        let key = format!("a:{at}");
        cluster.run_words::<()>(&key, &["SET", &key, "1", "EX", "600"]).await;
        expected.insert(key);
    }
    let (mut seen, mut cursor, mut pages) = (BTreeSet::new(), "0".to_owned(), 0);
    let mut servers = BTreeSet::new();
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
        servers.insert(cursor.split_once('@').expect("a server").1.to_owned());
        assert!(pages < 500, "the scan does not end");
    }
    assert_eq!(seen, expected);
    assert_eq!(servers.len(), 3, "{servers:?}");
}
