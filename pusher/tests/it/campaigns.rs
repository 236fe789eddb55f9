use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use serde_json::{Value, json};
use shared::campaign_push::State;
use support::eventually;
use support::push_service::{fcm_error, fcm_message, fcm_ok};

use crate::support::{World, fcm};

#[tokio::test(flavor = "multi_thread")]
async fn every_user_gets_the_push_once_and_the_progress_says_so() {
    let world = World::start(|_| fcm_ok()).await;
    let elements = (0..1000).map(|n| json!({"userId": format!("u{n}")}));
    let own = json!({"userId": "own", "fcmToken": "own-token"});
    let foreign = [json!({"userId": 7}), json!({"no": "user"}), json!("text")];
    world.campaign(elements.chain([own]).chain(foreign), json!({})).await;
    let none = json!({"push": true, "devices": []});
    world.functions.set_user("u1", none);
    world.functions.set_user("u2", json!({"push": false, "devices": [fcm("d", "u2")]}));
    let mut worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.invalid, progress.skipped), (1000, 2, 2));
    assert_eq!((progress.failed, progress.remaining()), (0, 0));
    let sent = world.sent();
    let different: BTreeSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), different.len()), (1000, 1000));
    assert!(different.contains(&"own-token".to_owned()) && different.contains(&"7".to_owned()));
    assert!(!different.contains(&"u2".to_owned()));
    assert!(world.responses().await.is_empty());
    assert!(worker.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_follow_the_device_s_language_and_the_user_s_fields() {
    let world = World::start(|_| fcm_ok()).await;
    let template = json!({
        "title": {"default": "Hello {{name}}", "de": "Hallo {{name}}"}, "body": "{{points}} points",
        "link": "/offers/{{name}}", "data": {"for": "{{name}}"},
    });
    let mut german = fcm("phone", "t-anna");
    german["locale"] = "de-AT".into();
    world.functions.set_user("anna", json!({"push": true, "devices": [german]}));
    let elements = [
        json!({"userId": "anna", "fields": {"name": "Anna", "points": 7}}),
        json!({"userId": "bob", "fields": {"name": "Bob B", "points": "8"}}),
        json!({"userId": "carl"}),
    ];
    world.campaign(elements, json!({"template": template, "responses": "all"})).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.failed), (2, 1));
    let messages: Vec<Value> = world.fcm.seen().iter().map(fcm_message).collect();
    let of = |token: &str| messages.iter().find(|it| it["token"] == token).unwrap().to_string();
    assert!(of("t-anna").contains("Hallo Anna") && of("t-anna").contains("7 points"));
    assert!(of("bob").contains("Hello Bob B") && of("bob").contains("/offers/Bob%20B"));
    let responses = world.responses().await;
    let failed = responses.iter().find(|it| it["userId"] == "carl").unwrap();
    assert_eq!(
        (&failed["result"], &failed["reason"]),
        (&json!("failed"), &json!("template_not_filled"))
    );
    assert_eq!(responses.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_online_needs_no_push_and_everyone_gets_the_entry_once() {
    let world = World::start(|_| fcm_ok()).await;
    for (user, online) in [("on", true), ("off", false)] {
        let answer = json!({"push": true, "online": online, "devices": [fcm("d", user)]});
        world.functions.set_user(user, answer);
    }
    let elements = ["on", "off", "unknown"].map(|user| json!({"userId": user}));
    let template = json!({"title": "News", "link": "/news"});
    let more = json!({"when": "offline", "feed": true, "template": template});
    world.campaign(elements, more).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.skipped), (3, 0));
    let sent: BTreeSet<String> = world.sent().into_iter().collect();
    assert_eq!(sent, BTreeSet::from(["off".to_owned(), "unknown".to_owned()]));
    let created = world.functions.created();
    assert_eq!(created.len(), 3);
    assert_eq!(created[0]["data"], json!({"link": "/news"}));
    assert!(created.iter().all(|it| it["title"] == "News" && it.get("push").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_written_once_whatever_changes_before_the_next_attempt() {
    let is_first = AtomicBool::new(true);
    let world = World::start(move |seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        match body["validate_only"] != true && is_first.swap(false, SeqCst) {
            true => fcm_error(429, "QUOTA_EXCEEDED").with("retry-after", "3"),
            false => fcm_ok(),
        }
    })
    .await;
    let template = json!({"title": {"default": "News", "de": "Neues"}});
    world.users(1, json!({"feed": true, "template": template})).await;
    let _worker = world.worker().await;
    world.until("it waits", |it| it.retrying == 1).await;
    // The same device, with another locale.
    let mut german = fcm("default", "german");
    german["locale"] = "de".into();
    world.functions.set_user("u0", json!({"push": true, "devices": [german]}));
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.failed), (1, 0));
    assert_eq!((world.functions.creates(), world.sent().len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_a_lost_worker_wrote_differently_is_written() {
    let world = World::start(|_| fcm_ok()).await;
    world.functions.set_created("campaign:spring:u0");
    world.users(2, json!({"feed": true, "responses": "all"})).await;
    let _worker = world.worker().await;
    let progress = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((progress.sent, progress.failed, world.sent().len()), (2, 0, 2));
    let responses = world.responses().await;
    let of = |user: &str| responses.iter().find(|it| it["userId"] == user).unwrap();
    assert_eq!(of("u0").get("notificationId"), None);
    assert_eq!(of("u1")["notificationId"], "id-u1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_dead_addresses_pauses_the_campaign_and_removes_nearly_none() {
    let world = World::start(|_| fcm_error(404, "UNREGISTERED")).await;
    world.users(3000, json!({"rate": 1000})).await;
    let _worker = world.worker().await;
    let paused = |it: &shared::campaign_push::progress::Progress| it.state == State::Paused;
    let progress = world.until("it pauses", paused).await;
    assert_eq!(progress.reason.as_deref(), Some("many_invalid"));
    let progress = world.until("no block is under way", |it| it.claimed == 0).await;
    assert!(progress.remaining() > 500, "{progress:?}");
    assert!(world.functions.pruned().len() < 30, "{}", world.functions.pruned().len());
    let asked = world.sent().len();
    // An operator who looked, and resumes, gets a new guard.
    world.control("resume").await;
    world.until("it pauses again", |it| paused(it) && it.claimed == 0).await;
    assert!(world.sent().len() > asked);
    assert!(world.functions.pruned().len() < 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_pauses_the_campaign_and_loses_nobody() {
    let world = World::start(|_| fcm_error(403, "PERMISSION_DENIED")).await;
    world.users(500, json!({})).await;
    let worker = world.worker().await;
    let progress =
        world.until("it pauses", |it| it.state == State::Paused && it.claimed == 0).await;
    assert_eq!(progress.reason.as_deref(), Some("credentials"));
    assert_eq!((progress.remaining(), progress.sent, progress.failed), (500, 0, 0));
    let (status, body) = worker.ready().await;
    assert!(status == 503 && body.contains("forbidden"), "{status} {body}");
    assert!(world.functions.pruned().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_addresses_of_another_sender_are_a_wrong_credential() {
    let world = World::start(|_| fcm_error(403, "SENDER_ID_MISMATCH")).await;
    world.users(500, json!({})).await;
    let _worker = world.worker().await;
    let progress =
        world.until("it pauses", |it| it.state == State::Paused && it.claimed == 0).await;
    assert_eq!(progress.reason.as_deref(), Some("credentials"));
    assert!(progress.failed < 30 && progress.remaining() > 470, "{progress:?}");
    assert!(world.functions.pruned().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_within_a_block_and_resume_goes_on_where_it_was() {
    let world = World::start(|_| fcm_ok()).await;
    world.users(3000, json!({"rate": 1000})).await;
    let _worker = world.worker().await;
    world.until("it runs", |it| it.sent > 200).await;
    world.control("pause").await;
    let paused = world.until("no block is under way", |it| it.claimed == 0).await;
    let sent = world.sent().len();
    assert!(sent < 3000 && paused.remaining() > 0, "{paused:?}");
    world.control("resume").await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!(done.sent, 3000);
    let sent = world.sent();
    let different: BTreeSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), different.len()), (3000, 3000));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_a_campaign_without_a_double() {
    let world = World::start(|_| fcm_ok()).await;
    world.users(5000, json!({})).await;
    let (one, two) = tokio::join!(world.worker(), world.worker());
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!(done.sent, 5000);
    let sent = world.sent();
    let different: BTreeSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), different.len()), (5000, 5000));
    let accepted = "bellwire_push_sent_total{kind=\"fcm\",result=\"accepted\"}";
    eventually("both have sent", async || {
        let (one, two) = (one.metric(accepted).await, two.metric(accepted).await);
        (one > 0.0 && two > 0.0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_storm_delays_a_campaign_and_loses_nobody() {
    let world = World::start(|seen| match seen.number % 50 {
        10 => fcm_error(429, "QUOTA_EXCEEDED").with("retry-after", "1"),
        _ => fcm_ok(),
    })
    .await;
    world.users(300, json!({})).await;
    let _worker = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed), (300, 0));
    let different: BTreeSet<String> = world.sent().into_iter().collect();
    assert_eq!(different.len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_who_were_given_up_get_it_after_a_redrive() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = is_down.clone();
    let world = World::start(move |_| match down.load(SeqCst) {
        true => fcm_error(503, "UNAVAILABLE"),
        false => fcm_ok(),
    })
    .await;
    // Too short for the ten seconds until another attempt.
    world.users(20, json!({"ttlSeconds": 5})).await;
    let _worker = world.worker().await;
    let done = world.until("it is done", |it| it.state == State::Done).await;
    assert_eq!((done.sent, done.failed), (0, 20));
    let responses = world.responses().await;
    assert!(responses.len() == 20 && responses.iter().all(|it| it["result"] == "failed"));
    let attempts = world.sent().len();
    is_down.store(false, SeqCst);
    world.redrive().await;
    let done = world.until("it is done", |it| it.sent == 20).await;
    assert_eq!((done.state, done.failed), (State::Done, 0));
    assert_eq!(world.sent().len(), attempts + 20);
}
