//! The push worker's program on real functions, a real Redis and a real record, with an FCM of the
//! tests' own: what fails in the middle of a campaign, and of notifications' pushes, leaves nobody
//! out, and the worker goes on by itself.

mod lost_data;
mod record;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::push_service::{
    Certificate, Protocol, PushService, Reply, Seen, fcm_message, fcm_token, service_account, token,
};
use support::{Answer, Functions, PushWorker, eventually_within, paths};

const CAMPAIGN: &str = "spring";
/// A campaign of this size takes seconds at these tests' rates; a lease in development takes ten.
const CAMPAIGN_LIMIT: Duration = Duration::from_secs(90);
/// The time in which the worker goes on when what it needs is back.
const RECOVERY: Duration = Duration::from_secs(15);
/// Tokens of one call.
const TOKENS_MAX: usize = 1000;
const SCOPES: &str = "campaigns:write push:write tokens:write tokens:read";

/// A worker with everything around it, except for Redis.
struct Stage {
    worker: PushWorker,
    functions: Functions,
    fcm: PushService,
    _oauth: PushService,
    _dir: tempfile::TempDir,
}

/// How often FCM got a push: of the campaign by token, of notifications by id. Trials do not count.
struct Sent {
    users: BTreeMap<String, usize>,
    notifications: BTreeMap<String, usize>,
}

impl Sent {
    /// All pushes of the campaign.
    fn pushes(&self) -> usize {
        self.users.values().sum()
    }

    /// Those that came again.
    fn doubles(&self) -> usize {
        self.pushes() - self.users.len()
    }
}

impl Stage {
    /// FCM answers as `answer` says.
    async fn start(
        functions: Functions,
        redis_url: &str,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        // Without TLS; the certificate goes unused.
        let (certificate, plain) = (Certificate::new("localhost"), Protocol::Plain);
        let oauth = PushService::start_with(&certificate, plain, token).await;
        let fcm = PushService::start_with(&certificate, plain, answer).await;
        let dir = tempfile::tempdir().unwrap();
        let (account, token) = (dir.path().join("account.json"), dir.path().join("token"));
        std::fs::write(&account, service_account(&oauth)).unwrap();
        let scopes = "push:send notifications:write";
        std::fs::write(&token, support::token("a worker", scopes)).unwrap();
        let mut command = Command::new(paths::program("bellwire-push"));
        command.args([
            format!("--functions-url={}", functions.url()),
            format!("--functions-token-file={}", token.display()),
            format!("--redis-url={redis_url}"),
            format!("--fcm-service-account={}", account.display()),
            format!("--fcm-origin={}", fcm.origin()),
            "--connections-per-host=8".to_owned(),
            "--in-flight=16".to_owned(),
            "--metrics-listen=127.0.0.1:0".to_owned(),
            "--development".to_owned(),
        ]);
        let worker = PushWorker::start(&mut command).await;
        let stage = Self { worker, functions, fcm, _oauth: oauth, _dir: dir };
        stage.is_ready("the worker is ready").await;
        stage
    }

    async fn is_ready(&self, what: &str) {
        eventually_within(RECOVERY, what, async || {
            (self.worker.ready().await.0 == 200).then_some(())
        })
        .await;
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let call = self.functions.call(method, path).token(&support::token("a service", SCOPES));
        let call = if body.is_null() { call } else { call.body(body.to_string()) };
        call.send().await
    }

    /// Each user's token is `token of <user>`.
    async fn give_tokens(&self, users: &[String]) {
        for some in users.chunks(TOKENS_MAX) {
            let tokens = some.iter().map(|user| json!({"userId": user, "token": token_of(user)}));
            let body = json!({"tokens": tokens.collect::<Vec<_>>()});
            self.call("PUT", "/tokens", &body).await.expect(200);
        }
    }

    async fn start_campaign(&self, users: &[String], rate: usize) {
        let users: Vec<Value> = users.iter().map(|user| json!({"userId": user})).collect();
        let path = format!("/campaigns/{CAMPAIGN}");
        self.call("PUT", &format!("{path}/users"), &json!({"users": users})).await.expect(200);
        let push = json!({"template": {"title": "Sale"}, "rate": rate});
        self.call("PUT", &format!("{path}/push"), &push).await.expect(202);
    }

    /// Waits until the campaign's progress is as asked for, also while nobody knows it.
    async fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/campaigns/{CAMPAIGN}/push");
        eventually_within(CAMPAIGN_LIMIT, what, async || {
            let progress = self.call("GET", &path, &Value::Null).await;
            (progress.status == 200).then(|| progress.json()).filter(|it| is(it))
        })
        .await
    }

    /// Creates a notification with a push; returns its id.
    async fn notify(&self, user: &str, push: Value) -> String {
        let body = json!({"userId": user, "title": "Paid", "push": push});
        let created = self.functions.create(&body).await.expect(201).json();
        created["id"].as_str().unwrap().to_owned()
    }

    fn sent(&self) -> Sent {
        let (mut users, mut notifications) = (BTreeMap::new(), BTreeMap::new());
        for seen in self.fcm.seen() {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            if body["validate_only"] == true {
                continue;
            }
            let id = fcm_message(&seen)["data"]["id"].as_str().unwrap().to_owned();
            let count = match id == CAMPAIGN {
                true => users.entry(fcm_token(&seen)).or_default(),
                false => notifications.entry(id).or_default(),
            };
            *count += 1;
        }
        Sent { users, notifications }
    }

    /// Waits until each of these notifications was pushed, once.
    async fn pushed_once(&self, ids: &[String]) {
        eventually_within(CAMPAIGN_LIMIT, "all notifications are pushed", async || {
            let sent = self.sent().notifications;
            ids.iter().all(|id| sent.contains_key(id)).then_some(())
        })
        .await;
        let sent = self.sent().notifications;
        let twice: Vec<_> = sent.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("u{at}")).collect()
}

fn token_of(user: &str) -> String {
    format!("token of {user}")
}
