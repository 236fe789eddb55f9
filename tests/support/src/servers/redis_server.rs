//! The one launcher of redis-server: a Redis of the test's own, which can die, hang, forget and come
//! back. When it ends, no key may be left that never expires, since that would fill the memory of
//! a Redis shared with other services.

mod options;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

pub use self::options::{Options, Persistence};
use crate::ports;
use crate::process::{Process, Signal};
use crate::wait::{PATIENCE, eventually, eventually_within};

const STARTS_MAX: usize = 10;
/// Loading its file takes a while on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A redis-server on a port of its own.
pub struct RedisServer {
    port: u16,
    dir: TempDir,
    options: Options,
    process: Mutex<Option<Process>>,
    /// Keys that the test wrote as another service: their expiry is not ours to set.
    foreign: Mutex<BTreeSet<String>>,
}

impl RedisServer {
    /// One that forgets everything when it ends.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// One with an append-only file that is written before a command is answered.
    pub async fn start_durable() -> Self {
        let persistence = Persistence::EveryCommand;
        Self::start_with(Options { persistence, ..Options::default() }).await
    }

    pub async fn start_with(options: Options) -> Self {
        for _ in 0..STARTS_MAX {
            let server = Self::prepare(options.clone());
            if let Some(process) = server.launch().await {
                *server.process.lock().unwrap() = Some(process);
                return server;
            }
        }
        panic!("redis-server found no free port");
    }

    /// A port and a directory for a server that `restart` starts for the first time.
    pub fn prepare(options: Options) -> Self {
        Self {
            port: ports::free(),
            dir: tempfile::tempdir().unwrap(),
            options,
            process: Mutex::default(),
            foreign: Mutex::default(),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().expect("a running Redis").pid()
    }

    /// A connection for the test itself, in the role of another service.
    pub async fn connection(&self) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    /// Runs one command, words separated by spaces.
    pub async fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let words: Vec<&str> = command.split(' ').collect();
        self.run_words(&words).await
    }

    /// Runs one command given as words.
    pub async fn run_words<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        match command.query_async(&mut self.connection().await).await {
            Ok(value) => value,
            Err(error) => panic!("{}: {error}", words.join(" ")),
        }
    }

    /// Runs one command whose answer does not matter, unless it is an error.
    pub async fn command(&self, words: &[&str]) {
        let _: redis::Value = self.run_words(words).await;
    }

    /// How often a command was called, by clients and by scripts.
    pub async fn calls(&self, command: &str) -> u64 {
        let stats: String = self.run("INFO commandstats").await;
        let start = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(start.as_str()));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
    }

    /// A list from its head.
    pub async fn list(&self, key: &str) -> Vec<String> {
        self.run_words(&["LRANGE", key, "0", "-1"]).await
    }

    /// Excepts a key that the test writes as another service from the check at the end.
    pub fn expect_foreign(&self, key: &str) {
        self.foreign.lock().unwrap().insert(key.to_owned());
    }

    /// Follows `primary` from now on; returns when it has everything that the other one has now.
    pub async fn replicate(&self, primary: &Self) {
        let _: () = self.run(&format!("REPLICAOF 127.0.0.1 {}", primary.port)).await;
        eventually("the replica is in sync", async || {
            let info: String = self.run("INFO replication").await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }

    /// Follows nobody any more and takes writes, with what it has by now.
    pub async fn promote(&self) {
        let _: () = self.run("REPLICAOF NO ONE").await;
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process.lock().unwrap().take().expect("a running Redis").kill();
    }

    /// Starts it (again) on its port, with what its file holds.
    pub async fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "Redis still runs");
        let process = self.launch().await.expect("Redis starts again on its port");
        *self.process.lock().unwrap() = Some(process);
    }

    /// Kills it and starts one that knows nothing on the same port.
    pub async fn replace_with_empty(&self) {
        self.kill();
        self.replace_files(None);
        self.restart().await;
    }

    /// A copy of the append-only file of a running server: what an asynchronous replica would have
    /// by now.
    pub fn copy_files(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(&self.append_only_dir(), copy.path());
        copy
    }

    /// Puts a copy in the place of what a killed server had on the disk; without one, nothing.
    pub fn replace_files(&self, copy: Option<&TempDir>) {
        assert!(self.process.lock().unwrap().is_none(), "Redis still runs");
        for entry in std::fs::read_dir(self.dir.path()).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => std::fs::remove_dir_all(path).unwrap(),
                false => std::fs::remove_file(path).unwrap(),
            }
        }
        if let Some(copy) = copy {
            std::fs::create_dir(self.append_only_dir()).unwrap();
            copy_files(copy.path(), &self.append_only_dir());
        }
    }

    fn append_only_dir(&self) -> PathBuf {
        self.dir.path().join("appendonlydir")
    }

    /// Stops it without closing anything: connections stay open and nobody answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.lock().unwrap().as_ref().expect("a running Redis").signal(signal);
    }

    /// `None` when the port was taken meanwhile.
    async fn launch(&self) -> Option<Process> {
        let mut command = self.options.command(self.port, self.dir.path());
        let mut process = Process::start("redis-server", &mut command);
        let client = redis::Client::open(self.url()).unwrap();
        eventually_within(START_LIMIT, "redis-server answers", async || {
            if let Some(status) = process.exit_status() {
                assert!(process.has_printed("in use"), "{status}: {}", process.output());
                return Some(false);
            }
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            let pong: redis::RedisResult<String> =
                redis::cmd("PING").query_async(&mut connection).await;
            // Loading its file it answers with an error. A stranger on the port is not our process.
            (pong.is_ok() && process.has_printed("Ready to accept connections")).then_some(true)
        })
        .await
        .then_some(process)
    }

    fn keys_without_expiry(&self) -> redis::RedisResult<Vec<String>> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection)?;
        let foreign = self.foreign.lock().unwrap();
        let mut eternal = Vec::new();
        for key in keys {
            let ttl: i64 = redis::cmd("TTL").arg(&key).query(&mut connection)?;
            // -2: it expired in the meantime.
            if ttl == -1 && key != shared::keys::ONLINE_USERS && !foreign.contains(&key) {
                eternal.push(key);
            }
        }
        Ok(eternal)
    }
}

/// Signals that may come while the last question is asked: more processes than a test has.
const SIGNALS_MAX: usize = 20;

impl Drop for RedisServer {
    fn drop(&mut self) {
        let is_running = self.process.lock().unwrap().is_some();
        if !is_running || self.options.may_leave_keys || std::thread::panicking() {
            return;
        }
        self.resume();
        let mut eternal = self.keys_without_expiry();
        // A child that ends sends a signal, and the kernel resumes no read that has a deadline.
        for _ in 0..SIGNALS_MAX {
            if !eternal.as_ref().is_err_and(|error| error.to_string().contains("Interrupted")) {
                break;
            }
            eternal = self.keys_without_expiry();
        }
        let eternal = eternal.expect("the test's Redis answers at its end");
        assert!(eternal.is_empty(), "keys without an expiry: {eternal:?}");
    }
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
