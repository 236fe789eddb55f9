//! Jobs from the create to the claim: none is lost, and none is given out twice.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::{Functions, RedisServer, eventually, token};

use super::result;
use crate::api::records::each_database;

#[tokio::test]
async fn a_claim_has_everything_that_a_worker_needs() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        let body = r#"{"userId":"alice","title":"Shipped","body":"wörld","kind":"order",
            "data":{"b":1, "a":[1E400]},"push":{"when":"always","ttlSeconds":600,
            "urgency":"high","collapse":"order 17"}}"#;
        let created = on.functions.create_raw(body).await.expect(201);
        // The push is no part of the notification, wherever it is shown.
        assert!(!created.text().contains("push"), "{}", created.text());
        let stored = on.redis.list("notifications:alice").await;
        assert!(!stored[0].contains("push") && !stored[0].contains("ttlSeconds"), "{}", stored[0]);

        let answer = on.work("/push/claim", json!({"max": 5, "leaseMs": 60_000})).await;
        assert!(answer.text().contains(r#""data":{"b":1, "a":[1E400]},"#), "{}", answer.text());
        let text = answer.expect(200).text().replace("1E400", "1");
        let claim: Value = serde_json::from_str(&text).unwrap();
        let job = &claim["jobs"][0];
        let created: Value = serde_json::from_str(&created.text().replace("1E400", "1")).unwrap();
        for name in ["id", "seq", "title", "body", "kind"] {
            assert_eq!(job[name], created[name], "{}: {name}", on.name);
        }
        let created_at = created["createdAt"].as_str().unwrap();
        assert_eq!(job["createdAtMs"], shared::time::parse_rfc3339(created_at).unwrap());
        let rev = job["devices"][0]["rev"].as_i64().unwrap();
        let device =
            json!({"device": "default", "kind": "fcm", "rev": rev, "token": "token of alice"});
        let expected = [
            ("userId", json!("alice")),
            ("rev", json!(1)),
            ("attempts", json!(0)),
            ("urgency", json!("high")),
            ("collapse", json!("order 17")),
            ("done", json!([])),
            ("devices", json!([device])),
        ];
        for (name, value) in expected {
            assert_eq!(job[name], value, "{}: {name}", on.name);
        }
        let ttl = job["ttlSeconds"].as_i64().unwrap();
        assert!((570..=600).contains(&ttl) && rev > 0, "{ttl} {rev}");
        assert_eq!((&claim["skipped"], on.jobs()), (&json!(0), 1));
        let next = claim["nextDueMs"].as_i64().unwrap();
        assert!((50_000..=60_000).contains(&next), "{next}");

        // Nothing else is due, and nothing is there once it is settled.
        let claim = on.claim().await;
        assert_eq!((&claim["jobs"], &claim["skipped"]), (&json!([]), &json!(0)));
        assert!(claim["nextDueMs"].as_i64().unwrap() <= next);
        assert_eq!(on.settle(json!([result(job, json!({"result": "done"}))])).await, (1, 0));
        let empty = json!({"jobs": [], "skipped": 0, "nextDueMs": null});
        assert_eq!((on.claim().await, on.jobs()), (empty, 0), "{}", on.name);
    }
}

#[tokio::test]
async fn a_job_survives_a_redis_that_lost_everything() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.push("alice", "kept", json!({"when": "always"})).await;
        on.redis.command(&["FLUSHALL"]).await;
        let claim = on.claim().await;
        assert_eq!(claim["jobs"][0]["devices"][0]["token"], "token of alice", "{}", on.name);
        assert!(claim["jobs"][0]["devices"][0]["rev"].as_i64().unwrap() > 0, "the record's");
    }
}

#[tokio::test]
async fn claims_at_once_never_get_the_same_job() {
    for on in each_database().await {
        let users: Vec<String> = (0..20).map(|at| format!("u{at}")).collect();
        on.give_tokens(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let item = |at: usize| {
            let push = json!({"when": "always"});
            json!({"userId": users[at % 20], "title": at.to_string(), "push": push})
        };
        let items: Vec<Value> = (0..60).map(item).collect();
        let service = token("svc", "notifications:write");
        let batch = json!({ "notifications": items }).to_string();
        let batch = on.functions.post("/notifications/batch", batch).token(&service);
        batch.send().await.expect(200);
        assert_eq!(on.jobs(), 60, "{}", on.name);

        let mut seen: BTreeSet<(String, i64)> = BTreeSet::new();
        eventually("all jobs are claimed", async || {
            let claims =
                (0..12).map(|_| on.work("/push/claim", json!({"max": 7, "leaseMs": 600_000})));
            for claim in join_all(claims).await {
                for job in claim.expect(200).json()["jobs"].as_array().unwrap() {
                    let user = job["userId"].as_str().unwrap().to_owned();
                    let is_new = seen.insert((user, job["seq"].as_i64().unwrap()));
                    assert!(is_new && job["rev"] == 1, "{}: {job}", on.name);
                }
            }
            (seen.len() == 60).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn after_its_lease_a_job_is_claimed_again_and_the_old_result_is_stale() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.push("alice", "t", json!({"when": "always"})).await;
        let first = on.claim().await["jobs"][0].clone();
        on.end_leases();
        let second = on.claim().await["jobs"][0].clone();
        assert_eq!((&first["rev"], &second["rev"]), (&json!(1), &json!(2)), "{}", on.name);
        for late in [json!({"result": "done"}), json!({"result": "later", "waitMs": 0})] {
            assert_eq!(on.settle(json!([result(&first, late)])).await, (0, 1), "{}", on.name);
        }
        assert_eq!(on.settle(json!([result(&second, json!({"result": "done"}))])).await, (1, 0));
        assert_eq!(on.settle(json!([result(&second, json!({"result": "done"}))])).await, (0, 1));
        assert_eq!(on.jobs(), 0);
    }
}

#[tokio::test]
async fn a_repeated_create_makes_no_second_job() {
    for on in each_database().await {
        let create = async |push: Value| {
            let body = json!({"userId": "alice", "title": "t", "push": push}).to_string();
            let service = token("svc", "notifications:write");
            let call = on.functions.post("/notifications", body).token(&service);
            call.header("idempotency-key", "k").send().await
        };
        let push = json!({"when": "unread", "afterSeconds": 60});
        for answer in join_all((0..10).map(|_| create(push.clone()))).await {
            answer.expect(201);
        }
        assert_eq!(on.jobs(), 1, "{}", on.name);
        // The push is a part of the request.
        for other in [json!({"when": "unread", "afterSeconds": 61}), json!(null)] {
            create(other).await.expect_problem(422, "idempotency_mismatch");
        }
        assert_eq!(on.jobs(), 1, "{}", on.name);
    }
}

#[tokio::test]
async fn a_batch_makes_a_job_for_each_item_that_asks_for_one() {
    for on in each_database().await {
        let push = |when: &str| json!({"when": when});
        let items = json!([
            {"userId": "alice", "title": "1", "push": push("always")},
            {"userId": "bob", "title": "2", "push": push("offline"), "idempotencyKey": "k"},
            {"userId": "bob", "title": "3"},
            {"userId": "bob", "title": "2", "push": push("offline"), "idempotencyKey": "k"},
            {"userId": "bob", "title": "4", "push": push("never")},
            {"userId": "bob", "title": "5", "push": {"when": "sometimes"}},
            {"userId": "alice", "title": "6", "push": {"when": "always", "afterSeconds": 3600}},
        ]);
        on.give_tokens(&["alice", "bob"]).await;
        let service = token("svc", "notifications:write");
        let body = json!({ "notifications": items }).to_string();
        let answer = on.functions.post("/notifications/batch", body).token(&service).send().await;
        let results = answer.expect(200).json()["results"].clone();
        let statuses: Vec<_> =
            results.as_array().unwrap().iter().map(|result| result["status"].clone()).collect();
        assert_eq!(statuses, [201, 201, 201, 201, 201, 400, 201], "{}", on.name);
        assert_eq!(results[5]["error"]["field"], "push.when");
        assert_eq!(on.jobs(), 3, "{}", on.name);
        assert_eq!(on.claimed().await, ["1", "2"], "{}", on.name);
        on.end_leases();
        assert_eq!(on.claimed().await, ["1", "2", "6"], "{}", on.name);
    }
}

#[tokio::test]
async fn a_create_wakes_the_workers_if_its_push_is_due() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "without").await;
    let create = async |push: Value| {
        let body = json!({"userId": "alice", "title": "t", "push": push});
        functions.create(&body).await.expect(201);
    };
    create(json!({"when": "always", "afterSeconds": 60})).await;
    create(json!({"when": "never"})).await;
    // Each was published itself, and nothing else.
    assert_eq!(redis.calls("publish").await, 3);
    let mut pubsub = redis::Client::open(redis.url()).unwrap().get_async_pubsub().await.unwrap();
    pubsub.subscribe(shared::keys::PUSH_CHANNEL).await.unwrap();
    create(json!({"when": "unread"})).await;
    let mut messages = pubsub.into_on_message();
    let message = futures_util::StreamExt::next(&mut messages);
    let message = support::within(support::wait::PATIENCE, "the wake-up", message).await.unwrap();
    assert_eq!(message.get_payload::<String>().unwrap(), "1");
}

#[tokio::test]
async fn a_record_of_the_version_before_learns_of_pushes() {
    let redis = RedisServer::start().await;
    let functions = Functions::start(&redis).await;
    functions.notify("alice", "before").await;
    let before = "
        DROP TABLE push_job_schema;
        DROP TRIGGER notifications_pushed;
        DROP TRIGGER push_job_deleted;
        DROP TRIGGER push_job_pruned;
        DROP TABLE push_job;
        ALTER TABLE notifications DROP COLUMN push;";
    functions.record.open().execute_batch(before).unwrap();
    let body = json!({"userId": "alice", "title": "after", "push": {"when": "always"}});
    let created = join_all((0..4).map(|_| functions.create(&body))).await;
    for answer in created {
        answer.expect(201);
    }
    assert_eq!(functions.record.value::<i64>("SELECT count(*) FROM push_job"), 4);
    assert_eq!(functions.titles("alice").await.len(), 5);
}
