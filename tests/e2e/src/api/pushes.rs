//! `/push`, and the jobs that creates make, on every database. No push worker runs here: the
//! tests are the worker, over HTTP.

mod addresses;
mod claims;
mod decisions;
mod durable;
mod settled;
mod test_pushes;

use serde_json::{Value, json};
use support::{Answer, token};

use crate::api::records::On;

const LEASE_MS: i64 = 60_000;

impl On {
    /// A call of the worker.
    pub async fn work(&self, path: &str, body: Value) -> Answer {
        let worker = token("worker", "push:send push:write");
        let call = self.functions.post(path, body.to_string()).token(&worker);
        call.send().await
    }

    /// `POST /push/claim` of up to 100 jobs.
    pub async fn claim(&self) -> Value {
        let body = json!({"max": 100, "leaseMs": LEASE_MS});
        self.work("/push/claim", body).await.expect(200).json()
    }

    /// The titles of the jobs of a claim, in alphabetical order.
    pub async fn claimed(&self) -> Vec<String> {
        titles(&self.claim().await)
    }

    /// `POST /push/settle`: settled and stale.
    pub async fn settle(&self, jobs: Value) -> (i64, i64) {
        let body = json!({ "jobs": jobs });
        let answer = self.work("/push/settle", body).await.expect(200).json();
        (answer["settled"].as_i64().unwrap(), answer["stale"].as_i64().unwrap())
    }

    /// Creates a notification with a `push`, for a user who has a token.
    pub async fn push(&self, user: &str, title: &str, push: Value) -> Value {
        let body = json!({"userId": user, "title": title, "push": push});
        self.functions.create(&body).await.expect(201).json()
    }

    /// Gives users a push token each.
    pub async fn give_tokens(&self, users: &[&str]) {
        for user in users {
            let put = self.functions.call("PUT", &format!("/users/{user}/token"));
            let body = json!({"token": format!("token of {user}")}).to_string();
            put.token(&token(user, "")).body(body).send().await.expect(204);
        }
    }

    pub async fn put_device(&self, user: &str, device: &str, body: Value) {
        let put = self.functions.call("PUT", &format!("/users/{user}/devices/{device}"));
        put.token(&token(user, "")).body(body.to_string()).send().await.expect(204);
    }

    pub async fn put_preferences(&self, user: &str, preferences: Value) {
        let put = self.functions.call("PUT", &format!("/users/{user}/preferences"));
        let put = put.token(&token(user, "")).body(preferences.to_string());
        put.send().await.expect(204);
    }

    /// Ends all leases and waits.
    pub fn end_leases(&self) {
        self.database.execute("UPDATE @push_job SET next_at_ms = 0");
    }

    /// The number of jobs in the record.
    pub fn jobs(&self) -> i64 {
        self.database.count("push_job")
    }
}

/// The titles of claimed jobs, in alphabetical order.
fn titles(claim: &Value) -> Vec<String> {
    let jobs = claim["jobs"].as_array().unwrap().iter();
    let mut titles: Vec<_> = jobs.map(|job| job["title"].as_str().unwrap().to_owned()).collect();
    titles.sort();
    titles
}

/// What a settle says about a job.
fn result(job: &Value, more: Value) -> Value {
    let mut result = more;
    for name in ["userId", "seq", "rev"] {
        result[name] = job[name].clone();
    }
    result
}
