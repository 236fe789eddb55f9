use push::outcome::Outcome;
use push::sender::Environment;
use push::{Address, Push, Sender};
use serde_json::json;

use crate::support::{Fake, Files, Reply, TOPIC, count, push};

fn to(token: &str, topic: &str) -> Push {
    push(Address::Apns {
        token: token.into(),
        topic: topic.into(),
        environment: Environment::Production,
    })
}

fn reason(status: u16, reason: &str) -> Reply {
    Reply::json(status, &json!({"reason": reason}))
}

#[tokio::test]
async fn a_push_has_apple_s_path_headers_and_token() {
    let files = Files::new();
    let apple = Fake::start(&files.certificate, |_| Reply::status(200)).await;
    let sender = Sender::new(files.apns(&apple)).await.unwrap();
    let pushes: Vec<_> = (0..10).map(|i| to(&format!("{i:064x}"), TOPIC)).collect();
    assert_eq!(count(&sender.send(&pushes).await, "accepted"), 10);
    let seen = apple.seen();
    let first = &seen[0];
    assert!(first.path.starts_with("/3/device/0000"));
    assert_eq!(first.headers["apns-topic"], TOPIC);
    assert_eq!(first.headers["apns-push-type"], "alert");
    assert_eq!(first.headers["apns-collapse-id"], pushes[0].ids.tag);
    assert!(first.headers["authorization"].to_str().unwrap().starts_with("bearer ey"));
    let tokens: std::collections::HashSet<_> =
        seen.iter().map(|seen| seen.headers["authorization"].clone()).collect();
    assert_eq!(tokens.len(), 1, "one token for all");
}

#[tokio::test]
async fn answers_prune_stop_or_hold() {
    let files = Files::new();
    let apple = Fake::start(&files.certificate, |seen| match seen.path.as_str() {
        "/3/device/01" => reason(410, "Unregistered"),
        "/3/device/02" => reason(400, "BadDeviceToken"),
        "/3/device/03" => reason(429, "TooManyRequests"),
        "/3/device/04" => reason(403, "InvalidProviderToken"),
        _ => Reply::status(200),
    })
    .await;
    let sender = Sender::new(files.apns(&apple)).await.unwrap();
    for (token, label) in
        [("01", "gone"), ("02", "mismatch"), ("03", "retry"), ("05", "accepted"), ("04", "stop")]
    {
        assert_eq!(sender.send_one(&to(token, TOPIC)).await.label(), label, "{token}");
    }
    // Held since the wrong key.
    assert_eq!(sender.send_one(&to("05", TOPIC)).await, Outcome::Stop("invalid_provider_token"));
}

#[tokio::test]
async fn a_new_token_is_not_made_within_twenty_minutes() {
    let files = Files::new();
    let apple = Fake::start(&files.certificate, |_| reason(403, "ExpiredProviderToken")).await;
    let sender = Sender::new(files.apns(&apple)).await.unwrap();
    assert_eq!(sender.send_one(&to("00", TOPIC)).await.label(), "hold");
    assert_eq!(apple.seen().len(), 1);
}

#[tokio::test]
async fn another_app_s_topic_is_refused_without_sending() {
    let files = Files::new();
    let apple = Fake::start(&files.certificate, |_| Reply::status(200)).await;
    let sender = Sender::new(files.apns(&apple)).await.unwrap();
    for (token, topic) in [("00", "com.example.other"), ("../x", TOPIC), ("", TOPIC)] {
        assert_eq!(sender.send_one(&to(token, topic)).await.label(), "refused");
    }
    assert_eq!(apple.connections(), 0);
}
