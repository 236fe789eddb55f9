//! A worker's program with everything around it.

mod campaign;
mod functions;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use push::Es256;
use serde_json::{Value, json};
use support::paths;
use support::push_service::{
    Certificate, Protocol, PushService, Reply, Seen, fcm_token, service_account, token,
};
use support::redis_server::Options;
use support::{PushWorker, RedisCluster, RedisServer, Sentinel};

pub use functions::{Functions, fcm};

/// Functions, Redis and push services; no worker yet.
pub struct World {
    /// Not running if `others` are used.
    pub redis: RedisServer,
    pub others: Others,
    pub functions: Functions,
    /// Theirs, or a proxy's.
    pub functions_url: String,
    pub fcm: PushService,
    pub webpush: PushService,
    _oauth: PushService,
    dir: tempfile::TempDir,
}

/// What a world has instead of one Redis.
pub enum Others {
    None,
    Cluster(RedisCluster),
    Sentinel(Sentinel),
}

impl World {
    /// A world on a Redis Cluster, or behind Sentinel.
    pub async fn start_on(
        others: Others,
        answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let redis = RedisServer::prepare(Options::default());
        Self::new(redis, others, answer, |_| Reply::status(201)).await
    }

    /// FCM answers as `answer` says; the browsers' push service accepts everything.
    pub async fn start(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::with(answer, |_| Reply::status(201)).await
    }

    pub async fn with(
        fcm: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        webpush: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::new(RedisServer::start().await, Others::None, fcm, webpush).await
    }

    async fn new(
        redis: RedisServer,
        others: Others,
        fcm: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
        webpush: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    ) -> Self {
        // Without TLS; the certificate goes unused.
        let certificate = Certificate::new("localhost");
        let plain = Protocol::Plain;
        let oauth = PushService::start_with(&certificate, plain, token).await;
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("token", "worker.token\n");
        write("account.json", &service_account(&oauth));
        write("vapid.pem", Es256::generate().unwrap().expose());
        let functions = Functions::start(&certificate).await;
        Self {
            redis,
            others,
            functions_url: functions.url(),
            functions,
            fcm: PushService::start_with(&certificate, plain, fcm).await,
            webpush: PushService::start_with(&certificate, plain, webpush).await,
            _oauth: oauth,
            dir,
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with its arguments.
    pub fn command(&self, more: &[&str]) -> Command {
        let file = |name: &str| self.file(name).display().to_string();
        let mut command = Command::new(paths::program("bellwire-push"));
        command.args(more);
        command.args([
            format!("--functions-url={}", self.functions_url),
            format!("--functions-token-file={}", file("token")),
            format!("--redis-url={}", self.redis_url()),
            format!("--fcm-service-account={}", file("account.json")),
            format!("--fcm-origin={}", self.fcm.origin()),
            format!("--vapid-key={}", file("vapid.pem")),
            "--vapid-subject=mailto:ops@example.com".to_owned(),
            "--connections-per-host=8".to_owned(),
            // On a busy machine, pushes that wait for a connection must not look late.
            "--in-flight=16".to_owned(),
            "--metrics-listen=127.0.0.1:0".to_owned(),
            "--development".to_owned(),
        ]);
        command
    }

    fn redis_url(&self) -> String {
        match &self.others {
            Others::None => self.redis.url(),
            Others::Cluster(cluster) => cluster.url(),
            Others::Sentinel(sentinel) => sentinel.url(),
        }
    }

    /// The server that has this key now.
    pub async fn at(&self, key: &str) -> &RedisServer {
        match &self.others {
            Others::None => &self.redis,
            Others::Cluster(cluster) => cluster.owner_of(key).await,
            Others::Sentinel(sentinel) => sentinel.primary().await,
        }
    }

    /// A worker that has started.
    pub async fn worker(&self) -> PushWorker {
        self.worker_with([]).await
    }

    /// The same with environment variables.
    pub async fn worker_with<const N: usize>(
        &self,
        environment: [(&str, OsString); N],
    ) -> PushWorker {
        PushWorker::start(self.command(&[]).envs(environment)).await
    }

    /// A browser's subscription.
    pub fn subscription(&self, device: &str, path: &str) -> Value {
        let key = Es256::parse(Es256::generate().unwrap().expose()).unwrap();
        json!({
            "device": device, "kind": "webpush", "rev": 5, "p256dh": key.public(),
            "endpoint": format!("{}/{path}", self.webpush.origin()), "auth": "A".repeat(22),
        })
    }

    /// The tokens that FCM got pushes for, in the order of arrival; trials do not count.
    pub fn sent(&self) -> Vec<String> {
        let seen = self.fcm.seen();
        seen.iter().filter(|seen| !is_trial(seen)).map(fcm_token).collect()
    }
}

/// Whether FCM is only asked to check a message, which then reaches no phone.
pub fn is_trial(seen: &Seen) -> bool {
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    body["validate_only"] == true
}
