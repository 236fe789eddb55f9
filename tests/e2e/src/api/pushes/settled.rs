//! `POST /push/settle`: waits, attempts, finished devices, responses.

use serde_json::{Value, json};

use super::result;
use crate::api::records::each_database;

#[tokio::test]
async fn a_job_waits_and_remembers_attempts_and_finished_devices() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        for device in ["phone", "tv"] {
            on.put_device("alice", device, json!({"kind": "fcm", "token": device})).await;
        }
        on.push("alice", "t", json!({"when": "always"})).await;
        let job = on.claim().await["jobs"][0].clone();
        let later = json!({"result": "later", "waitMs": 30_000, "done": ["phone", "default"]});
        let later = result(&job, later);
        assert_eq!(on.settle(json!([later])).await, (1, 0), "{}", on.name);
        // A repeat whose first answer was lost changes nothing.
        assert_eq!(on.settle(json!([later])).await, (0, 1), "{}", on.name);
        let claim = on.claim().await;
        let next = claim["nextDueMs"].as_i64().unwrap();
        assert!(claim["jobs"] == json!([]) && (20_000..=30_000).contains(&next), "{claim}");

        on.end_leases();
        let job = on.claim().await["jobs"][0].clone();
        assert_eq!(job["attempts"], 1, "{}", on.name);
        assert_eq!(sorted(&job["done"]), ["default", "phone"], "{}", on.name);
        let uncounted = json!({"result": "later", "counted": false, "done": ["phone", "tv"]});
        assert_eq!(on.settle(json!([result(&job, uncounted)])).await, (1, 0));
        // Without a time it is due at once.
        let job = on.claim().await["jobs"][0].clone();
        assert_eq!(job["attempts"], 1, "{}", on.name);
        assert_eq!(sorted(&job["done"]), ["default", "phone", "tv"], "{}", on.name);
        let jobs = json!([
            result(&job, json!({"result": "done"})),
            {"userId": "nobody", "seq": 1, "rev": 1, "result": "done"},
            {"userId": "alice", "seq": 99, "rev": 1, "result": "later"},
        ]);
        assert_eq!(on.settle(jobs).await, (1, 2), "{}", on.name);
        assert_eq!(on.jobs(), 0);
    }
}

#[tokio::test]
async fn finished_devices_that_are_gone_do_not_add_up() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.push("alice", "t", json!({"when": "always"})).await;
        for round in 0..3 {
            let job = on.claim().await["jobs"][0].clone();
            assert_eq!(job["done"], json!([]), "{}: {round}", on.name);
            let gone: Vec<_> = (0..20).map(|device| format!("{round}-{device}")).collect();
            let later = json!({"result": "later", "counted": false, "done": gone});
            assert_eq!(on.settle(json!([result(&job, later)])).await, (1, 0), "{}", on.name);
        }
        // One that comes back has had the push.
        on.put_device("alice", "0-7", json!({"kind": "fcm", "token": "t"})).await;
        assert_eq!(on.claim().await["jobs"][0]["done"], json!(["0-7"]), "{}", on.name);
    }
}

fn sorted(names: &Value) -> Vec<String> {
    let names = names.as_array().unwrap().iter();
    let mut names: Vec<_> = names.map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn responses_are_messages_of_their_queue() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.push("alice", "t", json!({"when": "always"})).await;
        let job = on.claim().await["jobs"][0].clone();
        let responses = json!([{"device": "default", "ok": true, "list": []}, "gone"]);
        let done = result(&job, json!({"result": "done", "responses": responses}));

        assert_eq!(on.settle(json!([done])).await, (1, 0), "{}", on.name);
        let queue = "notification:responses";
        let waiting = on.redis.list(queue).await;
        let expected = [r#"{"device":"default","list":[],"ok":true}"#, r#""gone""#];
        assert_eq!(waiting, expected, "{}", on.name);
        let days_14 = 14 * 24 * 3600;
        let ttl: i64 = on.redis.run_words(&["TTL", queue]).await;
        assert!((days_14 - 60..=days_14).contains(&ttl), "{ttl}");
        let reader = support::token("reader", "queues:write");
        let names = on.functions.get("/queues").token(&reader).send().await.expect(200).json();
        assert_eq!(names["items"], json!([queue]), "{}", on.name);
        let receive = on.functions.post("/queues/notification:responses/receive", "{}");
        let received = receive.token(&reader).send().await.expect(200).json();
        assert_eq!(received["messages"][0]["payload"]["device"], "default", "{}", on.name);

        // A key that is used for something else does not keep jobs from being settled.
        on.redis.command(&["FLUSHALL"]).await;
        on.redis.command(&["SET", queue, "x", "EX", "60"]).await;
        assert_eq!(on.settle(json!([done])).await, (0, 1), "{}", on.name);
    }
}

#[tokio::test]
async fn jobs_are_settled_without_redis() {
    for on in each_database().await {
        on.give_tokens(&["alice"]).await;
        on.push("alice", "t", json!({"when": "always"})).await;
        let job = on.claim().await["jobs"][0].clone();
        let done = result(&job, json!({"result": "done", "responses": [{"device": "default"}]}));
        on.redis.kill();
        assert_eq!(on.settle(json!([done])).await, (1, 0), "{}", on.name);
        assert_eq!(on.jobs(), 0, "{}", on.name);
        on.redis.restart().await;
    }
}
