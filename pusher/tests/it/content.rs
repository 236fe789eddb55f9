//! Content that cannot be sent is found by one trial, before anybody gets anything.

use std::ffi::OsString;

use serde_json::{Value, json};
use shared::campaign_push::State;
use shared::campaign_push::progress::Progress;
use support::push_service::{Reply, fcm_message, fcm_ok};

use crate::support::{World, fcm};

/// The body that is too long for Web Push (3,993 bytes with its JSON), not for FCM (4,096).
const FOR_FCM_ONLY: usize = 3_950;
/// Too long for all.
const FOR_NONE: usize = 4_090;

fn template(body_bytes: usize) -> Value {
    json!({"title": "Sale", "body": "b".repeat(body_bytes)})
}

async fn paused(world: &World) -> Progress {
    world.until("it pauses", |it| it.state == State::Paused && it.claimed == 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_the_service_refuses_is_found_before_anyone_gets_it() {
    let violations = json!([{"field": "message.android.ttl", "description": "no"}]);
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations,
    }]);
    let answer = json!({"error": {"code": 400, "details": details}});
    let world = World::start(move |_| Reply::json(400, &answer)).await;
    world.users(100, json!({})).await;
    let _worker = world.worker().await;
    let progress =
        world.until("it pauses", |it| it.state == State::Paused && it.claimed == 0).await;
    assert_eq!(progress.reason.as_deref(), Some("refused"));
    assert_eq!(progress.remaining(), 100);
    assert!(world.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_refused_for_one_user_s_fields_fails_that_user() {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "message.notification.title", "description": "no"}],
    }]);
    let refusal = json!({"error": {"code": 400, "details": details}});
    let world = World::start(move |seen| match fcm_message(seen).to_string().contains("Bad") {
        true => Reply::json(400, &refusal),
        false => fcm_ok(),
    })
    .await;
    let names = ["Bad", "Bad", "Bad", "Anna"].into_iter().enumerate();
    let elements = names.map(|(n, name)| json!({"userId": n, "fields": {"name": name}}));
    world.campaign(elements, json!({"template": {"title": "Hello {{name}}"}})).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.failed), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_too_large_for_web_push_is_found_before_anyone_gets_it() {
    let world = World::start(|_| fcm_ok()).await;
    let browser = json!([world.subscription("laptop", "x")]);
    world.functions.set_user("u0", json!({"push": true, "devices": browser}));
    world.users(50, json!({"template": template(FOR_FCM_ONLY), "feed": true})).await;
    let worker = world.worker().await;
    for _ in 0..2 {
        let progress = paused(&world).await;
        assert_eq!(progress.reason.as_deref(), Some("too_large"));
        assert_eq!((progress.remaining(), progress.sent, progress.failed), (50, 0, 0));
        assert!(world.sent().is_empty() && world.webpush.seen().is_empty());
        assert!(world.functions.created().is_empty(), "an entry was written");
        // An operator who only resumes learns the same.
        world.control("resume").await;
    }
    paused(&world).await;
    world.campaign([], json!({"template": template(100), "feed": true})).await;
    world.control("resume").await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed), (50, 0));
    assert_eq!((world.sent().len(), world.webpush.seen().len()), (49, 1));
    let log = worker.process.output();
    assert!(log.contains("too large") && log.contains("webpush"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_fits_fcm_alone_is_sent_where_there_is_no_browser() {
    let world = World::start(|_| fcm_ok()).await;
    world.users(20, json!({"template": template(FOR_FCM_ONLY)})).await;
    let _worker = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, world.sent().len()), (20, 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_too_large_for_fcm_and_apns_is_found_without_asking_them() {
    let world = World::start(|_| fcm_ok()).await;
    let apns = json!({
        "device": "phone", "kind": "apns", "rev": 1, "token": "00ff", "topic": "com.example.app",
    });
    let apns = json!({"push": true, "devices": [apns]});
    // The key is of the same kind; Apple's servers are never called.
    let key: OsString = world.file("vapid.pem").into();
    let _worker = world
        .worker_with([
            ("BELLWIRE_PUSH_APNS_KEY", key),
            ("BELLWIRE_PUSH_APNS_KEY_ID", "K".into()),
            ("BELLWIRE_PUSH_APNS_TEAM_ID", "T".into()),
            ("BELLWIRE_PUSH_APNS_TOPICS", "com.example.app".into()),
        ])
        .await;
    let default = json!({"push": true, "devices": [fcm("default", "u0")]});
    for devices in [apns, default] {
        world.functions.set_user("u0", devices);
        world.users(1, json!({"template": template(FOR_NONE)})).await;
        let progress = paused(&world).await;
        assert_eq!((progress.reason.as_deref(), progress.remaining()), (Some("too_large"), 1));
        world.control("cancel").await;
    }
    assert!(world.fcm.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_that_is_too_long_matters_if_somebody_has_it() {
    let world = World::start(|_| fcm_ok()).await;
    let template = json!({
        "title": "{{name}}", "body": {"default": "short", "de": "b".repeat(FOR_FCM_ONLY)},
    });
    let user = |n: &str| json!({"userId": n, "fields": {"name": "x"}});
    for (name, locale) in [("anna", "de-AT"), ("bob", "en"), ("carl", "fr")] {
        let mut browser = world.subscription("laptop", name);
        browser["locale"] = locale.into();
        world.functions.set_user(name, json!({"push": true, "devices": [browser]}));
    }
    let _worker = world.worker().await;
    world.campaign([user("bob"), user("carl")], json!({"template": template.clone()})).await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, world.webpush.seen().len()), (2, 2));
    world.campaign([user("anna"), user("bob")], json!({"template": template, "rate": 500})).await;
    let progress = paused(&world).await;
    assert_eq!((progress.reason.as_deref(), progress.remaining()), (Some("too_large"), 2));
    assert_eq!(world.webpush.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_make_it_too_large_fail_their_user() {
    let world = World::start(|_| fcm_ok()).await;
    let devices = json!([world.subscription("laptop", "x")]);
    for user in ["long", "short"] {
        world.functions.set_user(user, json!({"push": true, "devices": devices}));
    }
    let elements = [("long", FOR_FCM_ONLY), ("short", 10)]
        .map(|(user, bytes)| json!({"userId": user, "fields": {"text": "b".repeat(bytes)}}));
    let template = json!({"title": "Sale", "body": "{{text}}"});
    let _worker = world.worker().await;
    for (is_dry, sent) in [(true, 0), (false, 1)] {
        let more = json!({"template": template, "dryRun": is_dry});
        world.campaign(elements.clone(), more).await;
        let progress = world.until("it is done", |it| it.state == State::Done).await;
        assert_eq!((progress.sent, progress.failed), (1, 1), "dry: {is_dry}");
        assert_eq!(world.webpush.seen().len(), sent, "dry: {is_dry}");
    }
    for response in world.responses().await {
        assert_eq!(
            (&response["userId"], &response["reason"]),
            (&json!("long"), &json!("payload_too_large"))
        );
    }
    assert_eq!(world.responses().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing() {
    let world = World::start(|_| fcm_ok()).await;
    let devices = json!([fcm("phone", "t"), world.subscription("laptop", "x")]);
    world.functions.set_user("u0", json!({"push": true, "devices": devices}));
    world.users(50, json!({"dryRun": true, "feed": true})).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!(progress.sent, 50);
    assert!(world.sent().is_empty() && world.webpush.seen().is_empty());
    assert!(world.fcm.seen().len() >= 50 && world.functions.created().is_empty());
}
