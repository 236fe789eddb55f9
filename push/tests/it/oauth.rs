use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use push::Sender;
use push::outcome::Outcome;
use push::sender::{Config, ConfigError, FcmConfig};
use serde_json::json;

use crate::support::{Fake, Fcm, Files, Reply, count, fcm_error, many, to_fcm, token};

#[tokio::test]
async fn the_assertion_is_a_signed_jwt_in_a_form() {
    let fcm = Fcm::start(|_| Reply::json(200, &json!({}))).await;
    assert_eq!(fcm.sender.send_one(&to_fcm("a")).await, Outcome::Accepted);
    let seen = &fcm.oauth.seen()[0];
    assert_eq!(seen.path, "/token");
    let body = String::from_utf8(seen.body.to_vec()).unwrap();
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = body.strip_prefix(grant).unwrap();
    assert_eq!(assertion.split('.').count(), 3);
}

#[tokio::test]
async fn a_401_renews_the_token_once_for_all_and_then_holds() {
    let fcm = Fcm::start(|seen| match seen.headers["authorization"].to_str().unwrap() {
        "Bearer token-0" => Reply::status(401).after(Duration::from_millis(50)),
        _ => Reply::json(200, &json!({})),
    })
    .await;
    assert_eq!(count(&fcm.sender.send(&many(30)).await, "accepted"), 30);
    assert_eq!(fcm.oauth.seen().len(), 2, "those refused together renew once");

    let fcm = Fcm::start(|_| Reply::status(401)).await;
    let outcome = fcm.sender.send_one(&to_fcm("a")).await;
    assert!(matches!(outcome, Outcome::Hold { reason: "unauthorized", .. }), "{outcome:?}");
    assert_eq!((fcm.fcm.seen().len(), fcm.oauth.seen().len()), (2, 2));
    assert_eq!(fcm.sender.send_one(&to_fcm("b")).await.label(), "hold");
    assert_eq!(fcm.fcm.seen().len(), 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_server_is_not_hammered() {
    let files = Files::new();
    let is_well = Arc::new(AtomicBool::new(false));
    let well = is_well.clone();
    let oauth = Fake::start(&files.certificate, move |seen| match well.load(SeqCst) {
        true => token(seen),
        false => Reply::status(500),
    })
    .await;
    let fcm = Fake::start(&files.certificate, |_| Reply::json(200, &json!({}))).await;
    let sender = Sender::new(files.fcm(&fcm, &oauth)).await.unwrap();
    let outcomes = sender.send(&many(100)).await;
    assert_eq!(count(&outcomes, "hold"), 100, "{outcomes:?}");
    assert_eq!((oauth.seen().len(), fcm.seen().len()), (1, 0));
    assert_eq!(sender.held(), 0, "the backoff holds by itself");
    is_well.store(true, SeqCst);
    let mut outcome = sender.send_one(&to_fcm("a")).await;
    while let Outcome::Hold { wait, .. } = outcome {
        assert!(wait <= Duration::from_secs(2), "{wait:?}");
        tokio::time::sleep(wait).await;
        outcome = sender.send_one(&to_fcm("a")).await;
    }
    assert_eq!(outcome, Outcome::Accepted);
    assert_eq!(oauth.seen().len(), 2);
}

#[tokio::test]
async fn a_refused_service_account_stops() {
    let files = Files::new();
    let oauth = Fake::start(&files.certificate, |_| {
        Reply::json(400, &json!({"error": "invalid_grant", "error_description": "no such account"}))
    })
    .await;
    let fcm = Fake::start(&files.certificate, |_| fcm_error(404, "UNREGISTERED")).await;
    let sender = Sender::new(files.fcm(&fcm, &oauth)).await.unwrap();
    let outcomes = sender.send(&many(20)).await;
    assert!(outcomes.iter().all(|o| *o == Outcome::Stop("oauth_refused")), "{outcomes:?}");
    assert_eq!((oauth.seen().len(), fcm.seen().len()), (1, 0));
}

#[tokio::test]
async fn an_invalid_service_account_is_refused_at_the_start_without_quoting_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("account.json");
    std::fs::write(&path, json!({"project_id": "p", "private_key": "s3cret"}).to_string()).unwrap();
    let config = || Config { fcm: Some(FcmConfig::new(path.clone())), ..Files::new().config() };
    let error = Sender::new(config()).await.err().unwrap();
    assert!(matches!(error, ConfigError::File(_)));
    let text = error.to_string();
    assert!(text.contains("account.json: not a service account"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    let short = Config { is_development: false, deadline: Duration::from_secs(9), ..config() };
    let error = Sender::new(short).await.err().unwrap().to_string();
    assert_eq!(error, "deadline must be 10 to 120 s");
}
