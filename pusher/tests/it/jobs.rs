use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use support::push_service::{Reply, Seen, fcm_error, fcm_message, fcm_ok, fcm_token};
use support::{eventually, eventually_within};

use crate::support::{World, fcm};

const SOON: Duration = Duration::from_secs(30);

/// Waits until so many results were settled.
async fn settled(world: &World, count: usize) -> Vec<Value> {
    eventually_within(SOON, "the jobs are settled", async || {
        Some(world.functions.settled()).filter(|settled| settled.len() >= count)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_job_is_sent_once_to_each_device_and_settled_with_its_results() {
    let world = World::start(|_| fcm_ok()).await;
    for n in 0..300 {
        let user = format!("u{n}");
        world.functions.push(&user, 1, json!({}));
    }
    let devices =
        json!([fcm("phone", "a1"), world.subscription("laptop", "a2"), fcm("tablet", "a3")]);
    let more = json!({
        "devices": devices, "kind": "invoice", "data": {"n": [1]},
        "urgency": "high", "collapse": "invoices",
    });
    world.functions.push("alice", 7, more);
    let mut worker = world.worker().await;
    let settled = settled(&world, 301).await;
    assert_eq!(world.functions.jobs_left(), 0);
    let sent = world.sent();
    let different: BTreeSet<&String> = sent.iter().collect();
    assert_eq!((sent.len(), different.len()), (302, 302));
    assert_eq!(world.webpush.seen().len(), 1);
    let of_alice = settled.iter().find(|job| job["userId"] == "alice").unwrap();
    assert_eq!(of_alice["result"], "done");
    let responses = of_alice["responses"].as_array().unwrap();
    assert_eq!(responses.len(), 3);
    let of_laptop = responses.iter().find(|it| it["device"] == "laptop").unwrap();
    let expected = json!({
        "userId": "alice", "notificationId": "n-alice-7", "device": "laptop", "kind": "webpush",
        "result": "sent",
    });
    assert_eq!(*of_laptop, expected);
    let seen = world.fcm.seen();
    let message = seen.iter().map(fcm_message).find(|it| it["token"] == "a1").unwrap();
    assert!(message.to_string().contains("Invoice paid"), "{message}");
    assert_eq!(world.functions.stale(), 0);
    assert!(worker.end().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_service_is_tried_again_later_with_the_devices_that_are_left() {
    let world = World::start(|seen| match fcm_token(seen).as_str() {
        "bad" => Reply::status(503),
        _ => fcm_ok(),
    })
    .await;
    let devices = json!([fcm("phone", "good"), fcm("tablet", "bad")]);
    world.functions.push("alice", 1, json!({"devices": devices}));
    let _worker = world.worker().await;
    for attempt in 1..=5 {
        let all = settled(&world, attempt).await;
        let last = &all[attempt - 1];
        if attempt == 5 {
            // Given up, and told so.
            assert_eq!(last["result"], "done");
            let failed = &last["responses"][0];
            assert_eq!(
                (&failed["result"], &failed["reason"]),
                (&json!("failed"), &json!("service_error"))
            );
            break;
        }
        assert_eq!((&last["result"], &last["counted"]), (&json!("later"), &json!(true)));
        // Told once: the record keeps it.
        let done = if attempt == 1 { json!(["phone"]) } else { Value::Null };
        assert_eq!(last["done"], done);
        let wait_ms = last["waitMs"].as_u64().unwrap();
        let least_ms = 10_000 << (attempt - 1);
        assert!((least_ms..=least_ms * 3 / 2).contains(&wait_ms), "{attempt}: {wait_ms}");
        world.functions.make_due("alice", 1);
    }
    let sent = world.sent();
    assert_eq!(sent.iter().filter(|token| *token == "good").count(), 1);
    assert_eq!(sent.iter().filter(|token| *token == "bad").count(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_the_functions_refuse_takes_no_other_with_it() {
    let world = World::start(|_| fcm_ok()).await;
    for n in 0..20 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    world.functions.push("malformed", 1, json!({}));
    let _worker = world.worker().await;
    settled(&world, 20).await;
    assert_eq!((world.functions.jobs_left(), world.functions.stale()), (1, 0));
    assert_eq!(world.sent().len(), 21);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_device_is_removed_and_others_are_not() {
    let world = World::with(
        |seen| match fcm_token(seen).as_str() {
            "dead" => fcm_error(404, "UNREGISTERED"),
            "refused" => fcm_error(400, "INVALID_ARGUMENT"),
            _ => fcm_ok(),
        },
        |_| Reply::status(410),
    )
    .await;
    let devices = json!([
        fcm("default", "dead"),
        fcm("phone", "refused"),
        fcm("tablet", "good"),
        world.subscription("laptop", "x"),
    ]);
    world.functions.push("alice", 1, json!({"devices": devices}));
    let _worker = world.worker().await;
    let all = settled(&world, 1).await;
    let results: BTreeSet<(String, String)> = all[0]["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["device"].as_str().unwrap().into(), it["result"].as_str().unwrap().into()))
        .collect();
    let expected =
        [("default", "invalid"), ("laptop", "invalid"), ("phone", "failed"), ("tablet", "sent")];
    let expected = expected.map(|(device, result)| (device.to_owned(), result.to_owned()));
    assert_eq!(results, BTreeSet::from(expected));
    let mut pruned = eventually("both are removed", async || {
        Some(world.functions.pruned()).filter(|pruned| pruned.len() == 2)
    })
    .await;
    pruned.sort_by_key(|device| device["device"].as_str().unwrap().to_owned());
    let default = json!({"userId": "alice", "device": "default", "rev": 3, "token": "dead"});
    assert_eq!(pruned[0], default);
    assert_eq!(pruned[1], json!({"userId": "alice", "device": "laptop", "rev": 5}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_a_service_that_is_not_configured_fails_alone() {
    let world = World::start(|_| fcm_ok()).await;
    let watch = json!({"device": "watch", "kind": "apns", "rev": 1, "token": "00", "topic": "t"});
    world.functions.push("alice", 1, json!({"devices": [watch, fcm("phone", "a1")]}));
    let worker = world.worker().await;
    let settled = settled(&world, 1).await;
    let responses = settled[0]["responses"].as_array().unwrap();
    let of = |device: &str| responses.iter().find(|it| it["device"] == device).unwrap();
    assert_eq!(of("phone")["result"], "sent");
    assert_eq!(
        (&of("watch")["result"], &of("watch")["reason"]),
        (&json!("failed"), &json!("not_configured"))
    );
    assert_eq!(worker.ready().await.0, 200, "no sign of a wrong credential");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_address_is_dead_nearly_none_is_removed() {
    let world = World::start(|_| fcm_error(404, "UNREGISTERED")).await;
    for n in 0..200 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    let worker = world.worker().await;
    settled(&world, 200).await;
    assert!(world.functions.pruned().len() < 30, "{}", world.functions.pruned().len());
    let trips = "bellwire_push_guard_trips_total{reason=\"many_invalid\"}";
    assert_eq!(worker.metric(trips).await, 1.0);
    assert!(worker.metric("bellwire_push_unpruned_total").await >= 171.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_removes_nothing_delays_all_and_is_not_ready() {
    let world = World::start(|_| {
        // As Google answers for a project that does not exist.
        Reply::json(404, &json!({"error": {"code": 404, "message": "Not found."}}))
    })
    .await;
    for n in 0..50 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    let worker = world.worker().await;
    let all = settled(&world, 50).await;
    for job in &all {
        assert_eq!((&job["result"], &job["counted"]), (&json!("later"), &json!(false)), "{job}");
        assert!((60_000..=72_000).contains(&job["waitMs"].as_u64().unwrap()), "{job}");
    }
    assert_eq!(world.functions.jobs_left(), 50);
    let (status, body) = worker.ready().await;
    assert!(status == 503 && body.contains("project_not_found"), "{status} {body}");
    assert!(world.functions.pruned().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_delays_what_follows_without_counting_it() {
    let world = World::start(|seen: &Seen| match seen.number {
        0..3 => fcm_error(429, "QUOTA_EXCEEDED").with("retry-after", "2"),
        _ => fcm_ok(),
    })
    .await;
    for n in 0..100 {
        world.functions.push(&format!("u{n}"), 1, json!({}));
    }
    let _worker = world.worker().await;
    eventually_within(SOON, "all are sent", async || {
        (world.functions.jobs_left() == 0).then_some(())
    })
    .await;
    let settled = world.functions.settled();
    let later: Vec<&Value> = settled.iter().filter(|job| job["result"] == "later").collect();
    assert!(!later.is_empty() && later.iter().all(|job| job["counted"] == false), "{later:?}");
    let accepted: BTreeSet<String> = world.sent().into_iter().collect();
    assert_eq!(accepted.len(), 100);
    assert!(world.sent().len() <= 100 + 20, "{}", world.sent().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_delay_a_push_until_their_end_or_skip_it() {
    let world = World::start(|_| fcm_ok()).await;
    let now = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC);
    let at = |hours: i64| {
        let then = now.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
        format!("{:02}:{:02}", then.hour(), then.minute())
    };
    let quiet = json!({"from": at(-1), "to": at(2), "timeZone": "UTC"});
    let over = json!({"from": at(-3), "to": at(-1), "timeZone": "UTC"});
    world.functions.push("now", 1, json!({"quietHours": over}));
    world.functions.push("later", 1, json!({"quietHours": quiet, "ttlSeconds": 86_400}));
    world.functions.push("never", 1, json!({"quietHours": quiet, "ttlSeconds": 600}));
    let _worker = world.worker().await;
    let all = settled(&world, 3).await;
    let of = |user: &str| all.iter().find(|job| job["userId"] == user).unwrap();
    let wait_ms = of("later")["waitMs"].as_u64().unwrap();
    assert!((7_000_000..=7_200_000).contains(&wait_ms), "{wait_ms}");
    assert_eq!(of("later")["counted"], false);
    assert_eq!(of("never")["result"], "done");
    let response = &of("never")["responses"][0];
    assert_eq!(
        (&response["result"], &response["reason"]),
        (&json!("skipped"), &json!("quiet_hours"))
    );
    assert_eq!(world.sent(), ["now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_the_channel_wakes_the_worker() {
    let world = World::start(|_| fcm_ok()).await;
    let _worker = world.worker().await;
    eventually("the worker listens", async || {
        let listeners: u64 = world.redis.run("PUBLISH bw:push x").await;
        (listeners == 1).then_some(())
    })
    .await;
    world.functions.push("alice", 1, json!({}));
    world.redis.command(&["PUBLISH", "bw:push", "x"]).await;
    settled(&world, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_push_is_answered_for_each_device() {
    let world = World::start(|seen| match fcm_token(seen).as_str() {
        "dead" => fcm_error(404, "UNREGISTERED"),
        _ => fcm_ok(),
    })
    .await;
    let devices =
        json!([fcm("phone", "good"), fcm("old", "dead"), world.subscription("laptop", "x")]);
    world.functions.set_user("alice", json!({"push": true, "devices": devices}));
    let _worker = world.worker().await;
    let test = r#"{"nonce":"abc123","userId":"alice"}"#;
    world.redis.command(&["RPUSH", "bw:push:tests", "junk", test]).await;
    world.redis.command(&["EXPIRE", "bw:push:tests", "60"]).await;
    let results: String = eventually("the results are there", async || {
        world.redis.run_words(&["GET", "bw:push:test:abc123"]).await
    })
    .await;
    let results: Value = serde_json::from_str(&results).unwrap();
    let expected = json!([
        {"device": "phone", "kind": "fcm", "result": "sent"},
        {"device": "old", "kind": "fcm", "result": "invalid: unregistered"},
        {"device": "laptop", "kind": "webpush", "result": "sent"},
    ]);
    assert_eq!(results, expected);
    assert!(world.functions.pruned().is_empty(), "a test removes nothing");
}
