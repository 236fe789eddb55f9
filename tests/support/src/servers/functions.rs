//! The functions, served by `bellwire-host` or by the Spin in `SPIN_BIN`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::jwt;
use crate::process::{Process, Signal};
use crate::record::Record;
use crate::redis_cluster::RedisCluster;
use crate::redis_server::RedisServer;
use crate::wait::eventually_within;
use crate::{paths, ports};

const STARTS_MAX: usize = 10;
/// Includes compilation: the first start compiles the components; later ones use the cache.
const START_LIMIT: Duration = Duration::from_secs(180);

/// A functions host. Dereferences to the client of its API.
pub struct Functions {
    setup: Setup,
    port: u16,
    process: Mutex<Option<Process>>,
    http: Http,
    pub record: Record,
}

/// The setup of a host.
pub struct Setup {
    program: Option<PathBuf>,
    manifest: Option<PathBuf>,
    variables: BTreeMap<&'static str, String>,
    environment: Vec<(&'static str, OsString)>,
    record: Record,
}

impl Setup {
    /// Serves with another program than `bellwire-host` in the target directory.
    pub fn program(mut self, path: PathBuf) -> Self {
        self.program = Some(path);
        self
    }

    /// Serves another application.
    pub fn manifest(mut self, path: PathBuf) -> Self {
        self.manifest = Some(path);
        self
    }

    /// Keeps a directory for as long as the host lives.
    pub fn dir(&self) -> &std::path::Path {
        self.record.dir()
    }

    /// Serves the functions with another `functions/cache/resources.toml`.
    pub fn resources(self, text: &str) -> Self {
        let app = self.record.dir().join("app");
        std::fs::create_dir_all(&app).unwrap();
        std::fs::write(app.join("resources.toml"), text).unwrap();
        let manifest = std::fs::read_to_string(paths::manifest()).unwrap();
        let built = format!("source = \"{}/target/", paths::workspace().display());
        let manifest = manifest
            .replace("source = \"target/", &built)
            .replace("\"functions/cache/resources.toml\"", "\"resources.toml\"");
        let path = app.join("spin.toml");
        std::fs::write(&path, manifest).unwrap();
        self.manifest(path)
    }

    /// Sets a variable of the manifest.
    pub fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.insert(name, value.into());
        self
    }

    /// Sets environment variables of the host itself.
    pub fn env(mut self, variables: impl IntoIterator<Item = (&'static str, OsString)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Shares the record of another host.
    pub fn record(mut self, record: &Record) -> Self {
        self.record = record.clone();
        self
    }

    /// Connects to Redis at `address` (`host:port`), for example a proxy's.
    pub fn redis_at(self, address: &str) -> Self {
        self.redis(&format!("redis://{address}"), address)
    }

    /// Connects to Redis at `url`, with `host` as the permitted address.
    pub fn redis(self, url: &str, host: &str) -> Self {
        self.variable("redis_url", url).variable("redis_host", host)
    }

    pub async fn start(self) -> Functions {
        for _ in 0..STARTS_MAX {
            let port = ports::free();
            if let Some(process) = self.launch(port).await {
                let http = Http::api(&format!("127.0.0.1:{port}"));
                let (process, record) = (Mutex::new(Some(process)), self.record.clone());
                return Functions { setup: self, port, process, http, record };
            }
        }
        panic!("the functions host found no free port");
    }

    /// `None` if the port was taken meanwhile.
    async fn launch(&self, port: u16) -> Option<Process> {
        let spin = std::env::var_os("SPIN_BIN").map(PathBuf::from);
        let program = spin.clone().or_else(|| self.program.clone());
        let program = program.unwrap_or_else(|| paths::program("bellwire-host"));
        let mut command = Command::new(&program);
        command.args(spin.is_some().then_some("up"));
        command.arg("--from").arg(self.manifest.clone().unwrap_or_else(paths::manifest));
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command.arg("--runtime-config-file").arg(self.record.runtime_config());
        command.arg("--state-dir").arg(self.record.dir().join("state"));
        for (name, value) in &self.variables {
            command.arg("--variable").arg(format!("{name}={value}"));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let name = program.display().to_string();
        let mut process = match spin {
            Some(_) => Process::start_group(&name, &mut command),
            None => Process::start(&name, &mut command),
        };
        let what = "the functions host serves";
        eventually_within(START_LIMIT, what, async || {
            if let Some(status) = process.exit_status() {
                assert!(process.has_printed("in use"), "{status}: {}", process.output());
                return Some(false);
            }
            process.has_printed("Serving http://").then_some(true)
        })
        .await
        .then_some(process)
    }
}

impl Functions {
    /// The usual setup: the test key, and `redis` as the only permitted address.
    pub fn with(redis: &RedisServer) -> Setup {
        Self::at(&redis.url(), &redis.address())
    }

    /// The usual setup on a cluster.
    pub fn on(cluster: &RedisCluster) -> Setup {
        Self::at(&cluster.url(), &cluster.host())
    }

    /// The usual setup with Redis at `url`, and `host` as the only permitted address.
    pub fn at(url: &str, host: &str) -> Setup {
        let variables = BTreeMap::from([("auth_hs256_key", jwt::KEY.to_owned())]);
        Self::unconfigured(variables).redis(url, host)
    }

    pub async fn start(redis: &RedisServer) -> Self {
        Self::with(redis).start().await
    }

    /// Another application, with only the variables `redis_url` and `redis_host`.
    pub fn of(manifest: PathBuf, redis: &RedisServer) -> Setup {
        Self::unconfigured(BTreeMap::new()).manifest(manifest).redis_at(&redis.address())
    }

    fn unconfigured(variables: BTreeMap<&'static str, String>) -> Setup {
        let (environment, record) = (Vec::new(), Record::new());
        Setup { program: None, manifest: None, variables, environment, record }
    }

    /// A client for routes outside `docs/openapi.json`.
    pub fn plain(&self) -> Http {
        Http::plain(&self.address())
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().expect("a running host").pid()
    }

    /// Sends SIGTERM; returns the exit status.
    pub async fn terminate(&self, limit: Duration) -> ExitStatus {
        let mut process = self.process.lock().unwrap().take().expect("a running host");
        process.signal(Signal::TERM);
        process.ended(limit).await
    }

    /// Kills it, like a crash.
    pub fn kill(&self) {
        self.process.lock().unwrap().take().expect("a running host").kill();
    }

    /// Starts it again on its port.
    pub async fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "the host still runs");
        let process = self.setup.launch(self.port).await;
        *self.process.lock().unwrap() = Some(process.expect("the host starts again on its port"));
    }

    /// Stops it with SIGTERM, and serves another application with another program on the same port.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub async fn exchange(&mut self, program: PathBuf, manifest: PathBuf, limit: Duration) {
        self.terminate(limit).await;
        (self.setup.program, self.setup.manifest) = (Some(program), Some(manifest));
        self.restart().await;
    }

    /// The output of the host so far, with the components' logs.
    pub fn output(&self) -> String {
        self.process.lock().unwrap().as_ref().expect("a running host").output()
    }

    /// `POST /notifications`, with a service's token that permits creates.
    pub async fn create(&self, body: &Value) -> Answer {
        self.create_raw(&body.to_string()).await
    }

    /// [`Self::create`] with a body sent unchanged.
    pub async fn create_raw(&self, body: &str) -> Answer {
        let token = jwt::token("a service", "notifications:write");
        self.post("/notifications", body.to_owned()).token(&token).send().await
    }

    /// Creates a notification; fails unless it is answered 201. Returns the answer's object.
    pub async fn notify(&self, user: &str, title: &str) -> Value {
        self.create(&json!({"userId": user, "title": title})).await.expect(201).json()
    }

    /// `GET /users/{user}/notifications` with the user's own token.
    pub async fn feed(&self, user: &str) -> Answer {
        let target = format!("/users/{user}/notifications?limit=100");
        self.get(&target).token(&jwt::token(user, "")).send().await
    }

    /// The titles of a feed, newest first; fails unless it is answered 200.
    pub async fn titles(&self, user: &str) -> Vec<String> {
        titles(&self.feed(user).await.expect(200).json())
    }

    /// `POST /admin/relay`.
    pub async fn relay(&self) -> Answer {
        let token = jwt::token("an operator", "ops:write");
        self.post("/admin/relay", "").token(&token).send().await
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        // On Spin, a call that outlives its request can fail the instance; `bellwire-host` reports
        // it.
        let process = self.process.get_mut().ok().and_then(|process| process.as_ref());
        if !std::thread::panicking() {
            assert!(!process.is_some_and(|it| it.has_printed(" left behind ")), "a call is left");
        }
    }
}

impl Deref for Functions {
    type Target = Http;

    fn deref(&self) -> &Http {
        &self.http
    }
}

/// The titles in the answer of a feed, newest first.
pub fn titles(feed: &Value) -> Vec<String> {
    let entries = feed["notifications"].as_array().unwrap();
    entries.iter().map(|entry| entry["title"].as_str().unwrap_or_default().to_owned()).collect()
}
