//! Messages that share a moment keep their order: due at once, over at once, dead at once.

use serde_json::{Value, json};
use shared::keys;
use support::wait::eventually;
use support::{Functions, RedisServer};

use super::{Queue, payloads, receipts};

/// More than ten: as text, 10 comes before 9.
const MESSAGES: usize = 25;

fn numbers() -> Vec<Value> {
    (0..MESSAGES).map(|number| json!(number)).collect()
}

impl Queue<'_> {
    async fn until_ready(&self) {
        eventually("all can be received", async || {
            (self.stats().await["ready"] == MESSAGES).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn delayed_messages_come_in_the_order_of_their_sends() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let body = json!({"messages": numbers(), "delaySeconds": 1});
    queue.post("messages", &body).await.expect(200);
    queue.until_ready().await;
    assert_eq!(payloads(&queue.receive(&json!({"max": 100})).await), numbers());
}

#[tokio::test]
async fn after_a_visibility_timeout_the_order_is_the_same() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&numbers()).await;
    let first = queue.receive(&json!({"max": 100, "visibilitySeconds": 1})).await;
    assert_eq!(payloads(&first), numbers());
    queue.until_ready().await;
    assert_eq!(payloads(&queue.receive(&json!({"max": 100})).await), numbers());
}

#[tokio::test]
async fn dead_letters_and_what_is_put_back_of_them_are_in_order() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&numbers()).await;
    queue.receive(&json!({"max": 100, "visibilitySeconds": 1, "maxReceives": 1})).await;
    queue.until_ready().await;
    assert_eq!(queue.receive(&json!({"max": 100})).await.len(), 0, "all have died");
    let mut dead = Vec::new();
    let mut target = "/dead?limit=10".to_owned();
    while dead.len() < MESSAGES {
        let page = queue.get(&target).await.expect(200).json();
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty(), "the page ends too early");
        dead.extend(payloads(items));
        target = format!("/dead?limit=10&cursor={}", page["next"].as_str().unwrap_or_default());
    }
    assert_eq!(dead, numbers());
    let answer = queue.post("redrive", &json!({})).await.expect(200).json();
    assert_eq!(answer["redriven"], MESSAGES);
    let list: Vec<Value> =
        redis.list("work").await.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(list, numbers());
}

/// An older version gave ids without the letter.
#[tokio::test]
async fn ids_of_an_older_version_stay_good() {
    const OLD: &str = "0123456789abcdef";
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!(2)]).await;
    let [_, meta, _, inflight, _, _, since, bodies, states] = keys::queue("work");
    redis.run_words::<i64>(&["HSET", &meta, "epoch", OLD, "id", "9"]).await;
    for number in ["0", "1"] {
        let id = format!("{OLD}{number}");
        redis.run_words::<i64>(&["ZADD", &inflight, "1", &id]).await;
        redis.run_words::<i64>(&["ZADD", &since, "1", &id]).await;
        redis.run_words::<i64>(&["HSET", &bodies, &id, number]).await;
        redis.run_words::<i64>(&["HSET", &states, &id, "1 5 "]).await;
    }
    let late = queue
        .post(
            "extend",
            &json!({"receipts": [format!("{OLD}1:1")],
        "visibilitySeconds": 1}),
        )
        .await
        .expect(200);
    assert_eq!(late.json()["done"], json!([format!("{OLD}1:1")]));
    redis.run_words::<i64>(&["ZADD", &inflight, "1", &format!("{OLD}1")]).await;
    let messages = queue.receive(&json!({"max": 10, "visibilitySeconds": 1})).await;
    assert_eq!(payloads(&messages), [json!(0), json!(1), json!(2)]);
    // Over at the same moment, old ids and a new one: the older messages come first.
    eventually("all are over", async || (queue.stats().await["ready"] == 3).then_some(())).await;
    let messages = queue.receive(&json!({"max": 10})).await;
    assert_eq!(payloads(&messages), [json!(0), json!(1), json!(2)]);
    let answer = queue.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    assert_eq!(answer.json()["done"].as_array().unwrap().len(), 3);
}
