//! Work queues over HTTP: `functions/queues` on a real Redis.

mod faults;
mod foreign;
mod index;
mod names;
mod order;
mod order_model;
mod property;
mod waiting;

use serde_json::{Value, json};
use support::http::Answer;
use support::wait::eventually;
use support::{Functions, RedisServer, token};

/// A queue of a host.
struct Queue<'a> {
    functions: &'a Functions,
    name: &'a str,
}

impl Queue<'_> {
    async fn post(&self, what: &str, body: &Value) -> Answer {
        let target = format!("/queues/{}/{what}", self.name);
        let token = token("a worker", "queues:write");
        self.functions.post(&target, body.to_string()).token(&token).send().await
    }

    async fn get(&self, rest: &str) -> Answer {
        let target = format!("/queues/{}{rest}", self.name);
        self.functions.get(&target).token(&token("a worker", "queues:write")).send().await
    }

    async fn send(&self, messages: &[Value]) {
        let answer = self.post("messages", &json!({"messages": messages})).await.expect(200);
        assert_eq!(answer.json(), json!({"accepted": messages.len(), "duplicate": false}));
    }

    async fn receive(&self, body: &Value) -> Vec<Value> {
        let answer = self.post("receive", body).await.expect(200).json();
        answer["messages"].as_array().unwrap().clone()
    }

    async fn stats(&self) -> Value {
        self.get("").await.expect(200).json()
    }
}

fn payloads(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["payload"].clone()).collect()
}

fn receipts(messages: &[Value]) -> Vec<Value> {
    messages.iter().map(|message| message["receipt"].clone()).collect()
}

#[tokio::test]
async fn messages_come_in_order_and_are_gone_when_acknowledged() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work:mail" };
    let sent = [json!({"n": 1}), json!("two"), json!(3), json!([]), json!(null)];
    queue.send(&sent).await;
    let messages = queue.receive(&json!({"max": 3})).await;
    assert_eq!(payloads(&messages), sent[..3]);
    assert_eq!(messages[0]["attempt"], 1);
    let stats = queue.stats().await;
    assert_eq!((&stats["ready"], &stats["inFlight"]), (&json!(2), &json!(3)));
    assert_eq!(stats["oldestAgeSeconds"], 0);
    let answer = queue.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    assert_eq!(answer.json(), json!({"done": receipts(&messages), "stale": []}));
    let again = queue.post("ack", &json!({"receipts": receipts(&messages)})).await;
    again.expect_problem(409, "stale_receipt");
    assert_eq!(payloads(&queue.receive(&json!({})).await), sent[3..]);
    let stats = queue.stats().await;
    assert_eq!((&stats["ready"], &stats["inFlight"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn payloads_stay_the_bytes_they_were() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let payload = r#"{ "z":[],"a":{},"n":12345678901234567890123 , "f":1.0e2 }"#;
    let token = token("a worker", "queues:write");
    let body = format!("{{\"messages\":[{payload}]}}");
    functions.post("/queues/work/messages", body).token(&token).send().await.expect(200);
    let stored: String = redis.run("LINDEX work 0").await;
    assert_eq!(stored, payload);
    let answer = queue.post("receive", &json!({})).await.expect(200);
    assert!(answer.text().contains(payload), "{}", answer.text());
}

#[tokio::test]
async fn what_is_not_acknowledged_in_time_comes_again_and_dies_in_the_end() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!("a"), json!("b")]).await;
    let wanted = json!({"max": 1, "visibilitySeconds": 1, "maxReceives": 2});
    let first = queue.receive(&wanted).await;
    assert_eq!(payloads(&first), [json!("a")]);
    let second = eventually("the visibility timeout is over", async || {
        let messages = queue.receive(&wanted).await;
        messages.into_iter().find(|message| message["payload"] == "a")
    })
    .await;
    assert_eq!(second["attempt"], 2);
    let late = queue.post("ack", &json!({"receipts": receipts(&first)})).await;
    late.expect_problem(409, "stale_receipt");
    let dead = eventually("it dies after its second time", async || {
        queue.receive(&wanted).await;
        let page = queue.get("/dead").await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["payload"] == "a")
    })
    .await;
    assert_eq!((&dead["attempts"], &dead["reason"]), (&json!(2), &json!("visibility timeout")));
}

#[tokio::test]
async fn a_nack_gives_back_now_or_later_with_its_reason() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!("a"), json!("b")]).await;
    let first = queue.receive(&json!({"max": 1})).await;
    let body = json!({"receipts": receipts(&first)});
    queue.post("nack", &body).await.expect(200);
    // What was given back comes before what nobody had yet.
    let second = queue.receive(&json!({"max": 1})).await;
    assert_eq!((&second[0]["payload"], &second[0]["attempt"]), (&json!("a"), &json!(2)));
    let body = json!({"receipts": receipts(&second), "delaySeconds": 1, "reason": "busy"});
    queue.post("nack", &body).await.expect(200);
    assert_eq!(queue.stats().await["delayed"], 1);
    assert_eq!(payloads(&queue.receive(&json!({"max": 10})).await), [json!("b")]);
    let third = eventually("the delay is over", async || {
        queue.receive(&json!({"max": 1, "maxReceives": 3})).await.pop()
    })
    .await;
    assert_eq!((&third["payload"], &third["attempt"]), (&json!("a"), &json!(3)));
    let body = json!({"receipts": [third["receipt"]], "reason": "no such address"});
    queue.post("nack", &body).await.expect(200);
    let page = queue.get("/dead").await.expect(200).json();
    assert_eq!(page["items"][0]["reason"], "no such address");
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn an_extension_keeps_a_message_hidden() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    queue.send(&[json!("slow"), json!("quick")]).await;
    let messages = queue.receive(&json!({"max": 2, "visibilitySeconds": 1})).await;
    let slow = json!({"receipts": [messages[0]["receipt"]], "visibilitySeconds": 600});
    queue.post("extend", &slow).await.expect(200);
    // The other one, hidden for as long at first, shows that the time is over.
    let again =
        eventually("the other one comes again", async || queue.receive(&json!({})).await.pop())
            .await;
    assert_eq!(again["payload"], "quick");
    let body = json!({"receipts": [messages[0]["receipt"], messages[1]["receipt"], "nonsense"]});
    let answer = queue.post("ack", &body).await.expect(200).json();
    assert_eq!(answer["done"], json!([messages[0]["receipt"]]));
    assert_eq!(answer["stale"], json!([messages[1]["receipt"], "nonsense"]));
}

#[tokio::test]
async fn a_delayed_message_waits_and_a_repeated_dedup_id_is_a_duplicate() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let later = json!({"messages": [1, 2], "delaySeconds": 1, "dedupId": "order-7"});
    let answer = queue.post("messages", &later).await.expect(200);
    assert_eq!(answer.json(), json!({"accepted": 2, "duplicate": false}));
    let again = queue.post("messages", &later).await.expect(200);
    assert_eq!(again.json(), json!({"accepted": 0, "duplicate": true}));
    let stats = queue.stats().await;
    assert_eq!((&stats["delayed"], &stats["ready"]), (&json!(2), &json!(0)));
    let messages = eventually("the delay is over", async || {
        let messages = queue.receive(&json!({})).await;
        (!messages.is_empty()).then_some(messages)
    })
    .await;
    assert_eq!(
        (payloads(&messages), &messages[0]["attempt"]),
        (vec![json!(1), json!(2)], &json!(1))
    );
}

const DAYS_14_MS: i64 = 14 * 24 * 3600 * 1000;

#[tokio::test]
async fn a_dedup_id_holds_for_five_minutes_and_a_queue_for_two_weeks() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let body = json!({"messages": [1, 2], "dedupId": "order-7"});
    queue.post("messages", &body).await.expect(200);
    queue.receive(&json!({"visibilitySeconds": 600})).await;
    let keys = redis.run::<Vec<String>>("KEYS *work*").await;
    let (mut dedups, mut queues) = (0, 0);
    for key in keys.iter().filter(|key| !key.starts_with("bw:once:")) {
        let left_ms = redis.run::<i64>(&format!("PTTL {key}")).await;
        let of = if key.contains("order-7") { &mut dedups } else { &mut queues };
        let expected_ms = if key.contains("order-7") { 300_000 } else { DAYS_14_MS };
        *of += 1;
        assert!((expected_ms - 60_000..=expected_ms).contains(&left_ms), "{key}: {left_ms} ms");
    }
    assert!(dedups == 1 && queues >= 4, "{keys:?}");

    // When its time is over, the same id is another message.
    assert_eq!(queue.post("messages", &body).await.expect(200).json()["duplicate"], true);
    let dedup = keys.iter().find(|key| key.contains("order-7")).unwrap();
    redis.run::<()>(&format!("PEXPIRE {dedup} 1")).await;
    eventually("the id is forgotten", async || {
        (redis.run::<i64>(&format!("EXISTS {dedup}")).await == 0).then_some(())
    })
    .await;
    assert_eq!(queue.post("messages", &body).await.expect(200).json()["duplicate"], false);
}

#[tokio::test]
async fn dead_letters_are_paged_and_put_back_with_all_their_chances() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let sent: Vec<Value> = (0..5).map(|n| json!({"n": n})).collect();
    queue.send(&sent).await;
    let messages = queue.receive(&json!({"max": 5, "maxReceives": 1})).await;
    queue.post("nack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = queue.get(&format!("/dead?limit=2{cursor}")).await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        assert!(items.len() <= 2);
        seen.extend(payloads(&items));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, sent);
    let page = queue.get("/dead?limit=1").await.expect(200).json();
    let id = &page["items"][0]["id"];
    let body = json!({"ids": [id, "nobody", id]});
    assert_eq!(queue.post("redrive", &body).await.expect(200).json(), json!({"redriven": 1}));
    let body = json!({"max": 3});
    assert_eq!(queue.post("redrive", &body).await.expect(200).json(), json!({"redriven": 3}));
    assert_eq!(queue.stats().await["dead"], 1);
    let again = queue.receive(&json!({"max": 10})).await;
    assert_eq!((payloads(&again), &again[0]["attempt"]), (sent[..4].to_vec(), &json!(1)));
}

#[tokio::test]
async fn an_operation_is_one_script() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let queue = Queue { functions: &functions, name: "work" };
    let cycle = async || {
        queue.send(&[json!(1), json!(2)]).await;
        let messages = queue.receive(&json!({"max": 2})).await;
        queue.post("ack", &json!({"receipts": receipts(&messages)})).await.expect(200);
    };
    cycle().await;
    let _: () = redis.run("CONFIG RESETSTAT").await;
    for _ in 0..10 {
        cycle().await;
    }
    let stats: String = redis.run("INFO commandstats").await;
    assert!(stats.contains("cmdstat_evalsha:calls=30,"), "{stats}");
}
