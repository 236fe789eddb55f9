//! Content that no service takes is found without asking one.

use std::sync::Arc;

use push::message::Message;
use push::outcome::Outcome;
use push::sender::{Config, Environment};
use push::webpush::Allowed;
use push::{Address, Push, Sender};
use serde_json::Value;

use crate::support::{Fake, Files, Reply, TOPIC, push, to_fcm, token};
use crate::webpush::to as to_webpush;

fn to_apns(topic: &str) -> Push {
    let (token, topic) = ("00ff".to_owned(), topic.to_owned());
    push(Address::Apns { token, topic, environment: Environment::Production })
}

/// The push with a body of so many bytes, which must not be shortened.
fn with_body(push: &Push, bytes: usize) -> Push {
    let message = Message { body: Some("b".repeat(bytes)), ..Message::clone(&push.message) };
    Push { message: Arc::new(message), ..push.clone() }
}

/// The longest body that passes.
async fn longest(sender: &Sender, push: &Push) -> usize {
    let (mut fits, mut too_long) = (0, 5000);
    while too_long - fits > 1 {
        let bytes = usize::midpoint(fits, too_long);
        match sender.check(&with_body(push, bytes)).await {
            Ok(()) => fits = bytes,
            Err(outcome) => {
                assert!(outcome.is_too_large(), "{outcome:?}");
                too_long = bytes;
            }
        }
    }
    fits
}

#[tokio::test]
async fn a_check_knows_each_service_s_limit_to_the_byte_and_sends_nothing() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |_| Reply::status(200)).await;
    let oauth = Fake::start(&files.certificate, token).await;
    let config = Config {
        webpush: files.webpush(Allowed::default().with_loopback()).webpush,
        apns: files.apns(&service).apns,
        ..files.fcm(&service, &oauth)
    };
    let sender = Sender::new(config).await.unwrap();
    let endpoint = format!("{}/x", service.origin());
    let all = [to_fcm("t"), to_webpush(&endpoint), to_apns(TOPIC)];
    let mut longest_bodies = Vec::new();
    for push in &all {
        longest_bodies.push(longest(&sender, push).await);
    }
    assert_eq!((service.connections(), oauth.connections()), (0, 0));
    for (push, bytes) in all.iter().zip(longest_bodies) {
        let kind = push.address.kind();
        let outcome = sender.send_one(&with_body(push, bytes + 1)).await;
        assert!(outcome.is_too_large(), "{kind:?}: {outcome:?}");
        assert_eq!(sender.send_one(&with_body(push, bytes)).await, Outcome::Accepted, "{kind:?}");
    }
    let bodies: Vec<_> = service.seen().into_iter().map(|seen| seen.body).collect();
    let [fcm, webpush, apns] = bodies.as_slice() else { panic!("{} were sent", bodies.len()) };
    let message = serde_json::from_slice::<Value>(fcm).unwrap()["message"].take();
    let counted = message["notification"].to_string().len() + message["data"].to_string().len();
    assert_eq!((counted, webpush.len(), apns.len()), (4096, 4096, 4096));
}

#[tokio::test]
async fn what_is_wrong_with_the_content_is_found_whatever_the_address_is() {
    let files = Files::new();
    let service = Fake::start(&files.certificate, |_| Reply::status(200)).await;
    let config =
        Config { webpush: files.webpush(Allowed::default()).webpush, ..files.apns(&service) };
    let sender = Sender::new(config).await.unwrap();
    for (push, reason) in [
        (to_webpush("https://evil.example/x"), "endpoint_host_not_allowed"),
        (to_apns("com.example.other"), "topic_not_allowed"),
    ] {
        let refused = Outcome::Refused { reason, field: None };
        assert_eq!(sender.check(&push).await, Err(refused));
        let outcome = sender.check(&with_body(&push, 5000)).await.unwrap_err();
        assert!(outcome.is_too_large(), "{outcome:?}");
    }
    assert_eq!(sender.check(&to_fcm("t")).await, Err(Outcome::Stop("fcm_not_configured")));
    assert_eq!(service.connections(), 0);
}
