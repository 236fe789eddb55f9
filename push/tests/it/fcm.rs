use std::time::Duration;

use push::outcome::Outcome;
use serde_json::json;

use crate::support::{FCM_PATH, Fcm, Reply, count, fcm_error, fcm_token, many, to_fcm};

fn ok() -> Reply {
    Reply::json(200, &json!({"name": "projects/p/messages/1"}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_have_the_order_of_the_batch_and_one_oauth2_token_serves_all() {
    let fcm = Fcm::start(|seen| {
        let token = fcm_token(seen);
        let number: usize = token.rsplit('-').next().unwrap().parse().unwrap();
        // Answers overtake each other.
        let reply = if number % 10 == 3 { fcm_error(404, "UNREGISTERED") } else { ok() };
        reply.after(Duration::from_millis(number as u64 * 7 % 20))
    })
    .await;
    let outcomes = fcm.sender.send(&many(1000)).await;
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = match number % 10 {
            3 => Outcome::Gone("unregistered"),
            _ => Outcome::Accepted,
        };
        assert_eq!(*outcome, expected, "{number}");
    }
    let seen = fcm.fcm.seen();
    assert_eq!(seen.len(), 1000);
    assert!(seen.iter().all(|s| s.path == FCM_PATH));
    assert!(seen.iter().all(|s| s.headers["authorization"] == "Bearer token-0"));
    assert_eq!(fcm.oauth.seen().len(), 1);
    assert!((1..=4).contains(&fcm.fcm.connections()), "{}", fcm.fcm.connections());
    let metrics = fcm.sender.metrics().snapshot();
    assert_eq!(metrics.sent[0], [900, 100, 0, 0, 0, 0, 0]);
    assert_eq!((metrics.in_flight, metrics.doubtful), (0, 0));
    assert_eq!(metrics.seconds.iter().sum::<u64>(), 1000);
}

#[tokio::test]
async fn a_404_of_a_wrong_project_stops_and_prunes_nothing() {
    let fcm = Fcm::start(|_| {
        let error = json!({"code": 404, "message": "Requested entity was not found."});
        Reply::json(404, &json!({"error": error}))
    })
    .await;
    let outcomes = fcm.sender.send(&many(50)).await;
    assert_eq!(count(&outcomes, "stop"), 50);
    let asked = fcm.fcm.seen().len();
    // The credential is held: nothing more leaves.
    let outcomes = fcm.sender.send(&many(50)).await;
    assert!(outcomes.iter().all(|o| *o == Outcome::Stop("project_not_found")), "{outcomes:?}");
    assert_eq!(fcm.fcm.seen().len(), asked);
    assert_eq!(fcm.sender.held(), 1);
}

#[tokio::test]
async fn a_429_holds_the_credential_for_as_long_as_the_service_asks() {
    let fcm = Fcm::start(|seen| match seen.number {
        0 => fcm_error(429, "QUOTA_EXCEEDED").with("retry-after", "1"),
        _ => ok(),
    })
    .await;
    let hold = fcm.sender.send_one(&to_fcm("a")).await;
    let wait = Duration::from_secs(1);
    assert_eq!(hold, Outcome::Hold { reason: "quota_exceeded", wait });
    let Outcome::Hold { wait: left, .. } = fcm.sender.send_one(&to_fcm("b")).await else {
        panic!("not held");
    };
    assert!(left <= wait);
    assert_eq!(fcm.fcm.seen().len(), 1, "nothing is sent while held");
    tokio::time::sleep(left).await;
    assert_eq!(fcm.sender.send_one(&to_fcm("b")).await, Outcome::Accepted);
}

#[tokio::test]
async fn errors_of_the_service_are_retried_and_hold_nothing() {
    let fcm = Fcm::start(|seen| match seen.number {
        0..20 => Reply::status(503).with("retry-after", "30"),
        _ => ok(),
    })
    .await;
    let outcomes = fcm.sender.send(&many(20)).await;
    let after = Some(Duration::from_secs(30));
    let retry = Outcome::Retry { reason: "service_error", after, in_doubt: false };
    assert!(outcomes.iter().all(|outcome| *outcome == retry), "{outcomes:?}");
    assert_eq!(count(&fcm.sender.send(&many(20)).await, "accepted"), 20);
}

#[tokio::test]
async fn a_slow_answer_is_in_doubt_and_does_not_delay_others() {
    let fcm = Fcm::with(
        |seen| match fcm_token(seen).as_str() {
            "slow" => ok().after(Duration::from_secs(60)),
            _ => ok(),
        },
        |config| push::sender::Config { deadline: Duration::from_secs(2), ..config },
    )
    .await;
    assert_eq!(fcm.sender.send_one(&to_fcm("first")).await, Outcome::Accepted);
    let mut pushes = many(20);
    pushes.insert(0, to_fcm("slow"));
    let outcomes = fcm.sender.send(&pushes).await;
    let timeout = Outcome::Retry { reason: "timeout", after: None, in_doubt: true };
    assert_eq!(outcomes[0], timeout);
    assert_eq!(count(&outcomes, "accepted"), 20);
    assert_eq!(fcm.sender.metrics().snapshot().doubtful, 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let fcm = Fcm::start(|_| Reply::status(307).with("location", "https://localhost:1/x")).await;
    assert!(matches!(
        fcm.sender.send_one(&to_fcm("a")).await,
        Outcome::Refused { reason: "redirect", .. }
    ));
    assert_eq!(fcm.fcm.seen().len(), 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_without_sending() {
    let fcm = Fcm::start(|_| ok()).await;
    let mut push = to_fcm("a");
    let body = Some("x".repeat(5000));
    let message = push::message::Message { body, ..(*push.message).clone() };
    push.message = std::sync::Arc::new(message);
    assert!(matches!(
        fcm.sender.send_one(&push).await,
        Outcome::Refused { reason: "payload_too_large", .. }
    ));
    assert!(fcm.fcm.seen().is_empty());
    assert_eq!(fcm.sender.send_one(&to_fcm("")).await.label(), "refused");
    let stop = Outcome::Stop("apns_not_configured");
    let address = push::Address::Apns {
        token: "00".into(),
        topic: "t".into(),
        environment: push::sender::Environment::Production,
    };
    assert_eq!(fcm.sender.send_one(&crate::support::push(address)).await, stop);
}

#[tokio::test]
async fn validate_only_is_passed_on() {
    let fcm = Fcm::start(|_| ok()).await;
    let push = push::Push { validate_only: true, ..to_fcm("a") };
    assert_eq!(fcm.sender.send_one(&push).await, Outcome::Accepted);
    let json: serde_json::Value = serde_json::from_slice(&fcm.fcm.seen()[0].body).unwrap();
    assert_eq!(json["validate_only"], true);
}
