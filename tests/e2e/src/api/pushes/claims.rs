//! `POST /push/claim` with jobs that it cannot read, or that are too much for one answer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::records::each_database;

#[tokio::test]
async fn a_job_that_cannot_be_read_keeps_no_other_one() {
    for on in each_database().await {
        on.give_tokens(&["alice", "bob", "carol"]).await;
        for user in ["alice", "bob", "carol"] {
            on.push(user, user, json!({"when": "always"})).await;
        }
        on.database.execute("UPDATE @push_job SET options = '{' WHERE user_id = 'alice'");
        on.database.execute("UPDATE @push_job SET done = '7' WHERE user_id = 'carol'");
        assert_eq!(on.claimed().await, ["bob"], "{}", on.name);
    }
}

#[tokio::test]
async fn a_claim_answers_no_more_than_a_worker_reads() {
    const JOBS: usize = 120;
    for on in each_database().await {
        // 80 KiB in JSON: each of these characters has two bytes there.
        for device in 0..10 {
            let token = format!("{device}{}", "\"".repeat(4095));
            on.put_device("alice", &format!("d{device}"), json!({"kind": "fcm", "token": token}))
                .await;
        }
        let push = json!({"when": "always"});
        let drafts =
            (0..JOBS).map(|at| json!({"userId": "alice", "title": format!("{at}"), "push": push}));
        on.batch(drafts.collect()).await;

        let mut claimed = BTreeSet::new();
        let body = json!({"max": 200, "leaseMs": 60_000});
        for expected in [102, JOBS - 102] {
            let answer = on.work("/push/claim", body.clone()).await.expect(200);
            assert!(answer.text().len() < 9 * 1024 * 1024, "{}", on.name);
            let answer: Value = answer.json();
            let jobs = answer["jobs"].as_array().unwrap();
            assert!(jobs.len().abs_diff(expected) <= 2, "{}: {}", on.name, jobs.len());
            let is_last = claimed.len() + jobs.len() == JOBS;
            assert_eq!(answer["nextDueMs"] == 0, !is_last, "{}", on.name);
            for job in jobs {
                assert_eq!(job["attempts"], 0);
                assert!(claimed.insert(job["title"].to_string()), "{}: twice", on.name);
            }
        }
        assert_eq!(claimed.len(), JOBS, "{}", on.name);
    }
}
