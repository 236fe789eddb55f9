//! A caller's trace, from the create to the hub that passes the notification on.

use serde_json::json;
use support::{Functions, Hub, Published, RedisServer, logged, token};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

fn traceparent(flags: &str) -> String {
    format!("00-{TRACE_ID}-{PARENT_ID}-{flags}")
}

async fn create(functions: &Functions, user: &str, trace: &str) {
    let body = json!({"userId": user, "title": "t", "data": {"a": "b"}}).to_string();
    let call = functions.post("/notifications", body).header("traceparent", trace);
    let answer = call.token(&token("svc", "notifications:write")).send().await.expect(201);
    assert!(!answer.text().contains(TRACE_ID), "{}", answer.text());
}

#[tokio::test]
async fn a_sampled_trace_reaches_the_log_of_the_hub_that_delivers() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let (with_alice, without) = (Hub::start(&redis).await, Hub::start(&redis).await);
    let mut socket = with_alice.connect("alice").await;
    let published = Published::subscribe(&redis).await;
    create(&functions, "alice", &traceparent("01")).await;
    let frame = socket.notification().await;
    assert!(!frame.contains(TRACE_ID), "no client sees it: {frame}");
    let messages = published.exactly(1).await;
    let (_, bw) = messages[0].split_once(r#","bw":"#).unwrap();
    assert!(bw.ends_with(&format!(r#","seq":1,"trace":"{}"}}}}"#, traceparent("01"))), "{bw}");
    let line = logged(|| with_alice.output(), &["traced notification", TRACE_ID, PARENT_ID]).await;
    assert!(line.contains("seq") && !line.contains("alice"), "{line}");
    assert!(!without.output().contains(TRACE_ID), "{}", without.output());
    // Neither feed nor record keeps it.
    assert_eq!(redis.list("notifications:alice").await, [frame]);
    let columns =
        "SELECT count(*) FROM notifications WHERE title LIKE '%4bf92f%' OR data LIKE '%4bf92f%'";
    assert_eq!(functions.record.value::<i64>(columns), 0);

    // A batch, and an entry that is appended to a known feed.
    let batch = json!({"notifications": [{"userId": "alice", "title": "two"}, {"userId": "bob", "title": "b"}]});
    let call = functions.post("/notifications/batch", batch.to_string());
    let call = call.header("traceparent", &traceparent("03"));
    call.token(&token("svc", "notifications:write")).send().await.expect(200);
    assert_eq!(socket.titles(1).await, ["two"]);
    let traced = published.exactly(3).await;
    assert_eq!(traced.iter().filter(|message| message.contains(TRACE_ID)).count(), 3);
    assert_eq!(published.seqs("alice").await, [1, 2]);
}

#[tokio::test]
async fn nobody_pays_for_traces_that_are_not_sampled_or_malformed() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    let hub = Hub::start(&redis).await;
    let mut socket = hub.connect("alice").await;
    let published = Published::subscribe(&redis).await;
    let others =
        [traceparent("00"), traceparent("01").to_uppercase(), "\"}}".to_owned(), String::new()];
    for other in &others {
        create(&functions, "alice", other).await;
    }
    assert_eq!(socket.titles(others.len()).await.len(), others.len());
    for message in published.exactly(others.len()).await {
        assert!(!message.contains("trace"), "{message}");
    }
    assert!(!hub.output().contains("traced notification"), "{}", hub.output());
}
