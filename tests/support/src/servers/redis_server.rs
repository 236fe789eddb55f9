//! The only launcher of redis-server: a test's own Redis, which can crash, hang, lose its data and
//! restart. At its end, every key must have an expiry: other keys would fill the memory of a Redis
//! shared with other services.

mod end;
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
/// Loading the file takes a while on a busy machine.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A redis-server on a port of its own.
pub struct RedisServer {
    port: u16,
    dir: TempDir,
    options: Options,
    process: Mutex<Option<Process>>,
    /// Keys that the test wrote as another service, which may lack an expiry.
    foreign: Mutex<BTreeSet<String>>,
}

impl RedisServer {
    /// A server that loses its data when it ends.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A server with an append-only file, written before each answer.
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

    /// Reserves a port and a directory; `restart` starts the server for the first time.
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
        self.options.url(&self.address())
    }

    fn client(&self) -> redis::Client {
        self.options.client(&self.url())
    }

    /// The port of a cluster node's own traffic.
    pub(super) fn cluster_port(&self) -> u16 {
        self.options.cluster_port.expect("a node of a cluster")
    }

    pub fn is_running(&self) -> bool {
        self.process.lock().unwrap().is_some()
    }

    pub fn pid(&self) -> u32 {
        self.process.lock().unwrap().as_ref().expect("a running Redis").pid()
    }

    /// A connection for the test itself, as another service.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connection().await.unwrap()
    }

    /// The same, for a server that may be away.
    pub async fn try_connection(&self) -> redis::RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        self.client().get_multiplexed_async_connection_with_config(&config).await
    }

    /// Runs one command, words separated by spaces.
    pub async fn run<T: redis::FromRedisValue>(&self, command: &str) -> T {
        let words: Vec<&str> = command.split(' ').collect();
        self.run_words(&words).await
    }

    /// Runs one command given as words.
    pub async fn run_words<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        match self.try_run(words).await {
            Ok(value) => value,
            Err(error) => panic!("{}: {error}", words.join(" ")),
        }
    }

    /// The same, for a server that may be away or closes connections.
    pub async fn try_run<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = self.try_connection().await?;
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await
    }

    /// Runs one command and ignores its answer, except for an error.
    pub async fn command(&self, words: &[&str]) {
        let _: redis::Value = self.run_words(words).await;
    }

    /// Number of calls of a command, by clients and by scripts.
    pub async fn calls(&self, command: &str) -> u64 {
        let stats: String = self.run("INFO commandstats").await;
        let start = format!("cmdstat_{command}:calls=");
        let line = stats.lines().find_map(|line| line.strip_prefix(start.as_str()));
        line.and_then(|line| line.split(',').next()).map_or(0, |calls| calls.parse().unwrap())
    }

    /// Number of errors with this code (`MOVED`, `ASK`…) that it has answered.
    pub async fn errors(&self, code: &str) -> u64 {
        let stats: String = self.run("INFO errorstats").await;
        let start = format!("errorstat_{code}:count=");
        let line = stats.lines().find_map(|line| line.strip_prefix(start.as_str()));
        line.map_or(0, |count| count.parse().unwrap())
    }

    /// A list from its head.
    pub async fn list(&self, key: &str) -> Vec<String> {
        self.run_words(&["LRANGE", key, "0", "-1"]).await
    }

    /// Exempts a key that the test writes as another service from the check at the end.
    pub fn expect_foreign(&self, key: &str) {
        self.foreign.lock().unwrap().insert(key.to_owned());
    }

    /// Replicates `primary` from now on; returns once it is in sync.
    pub async fn replicate(&self, primary: &Self) {
        let _: () = self.run(&format!("REPLICAOF 127.0.0.1 {}", primary.port)).await;
        eventually("the replica is in sync", async || {
            let info: String = self.run("INFO replication").await;
            info.contains("master_link_status:up").then_some(())
        })
        .await;
    }

    /// Stops replicating and accepts writes, with the data received so far.
    pub async fn promote(&self) {
        let _: () = self.run("REPLICAOF NO ONE").await;
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.process.lock().unwrap().take().expect("a running Redis").kill();
    }

    /// Starts it (again) on its port, with the data of its file.
    pub async fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "Redis still runs");
        let process = self.launch().await.expect("Redis starts again on its port");
        *self.process.lock().unwrap() = Some(process);
    }

    /// Kills it and starts an empty one on the same port.
    pub async fn replace_with_empty(&self) {
        self.kill();
        self.replace_files(None);
        self.restart().await;
    }

    /// A copy of the append-only file of a running server: the state of an asynchronous replica.
    pub fn copy_files(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        copy_files(&self.append_only_dir(), copy.path());
        copy
    }

    /// Replaces the files of a killed server with a copy, or with nothing.
    pub fn replace_files(&self, copy: Option<&TempDir>) {
        assert!(self.process.lock().unwrap().is_none(), "Redis still runs");
        for entry in std::fs::read_dir(self.dir()).unwrap() {
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

    fn dir(&self) -> &Path {
        self.options.dir.as_deref().unwrap_or(self.dir.path())
    }

    fn append_only_dir(&self) -> PathBuf {
        self.dir().join("appendonlydir")
    }

    /// Pauses it: connections stay open and get no answers.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        self.process.lock().unwrap().as_ref().expect("a running Redis").signal(signal);
    }

    /// `None` if the port was taken meanwhile.
    async fn launch(&self) -> Option<Process> {
        let mut command = self.options.command(self.port, self.dir());
        let mut process = Process::start("redis-server", &mut command);
        let client = self.client();
        eventually_within(START_LIMIT, "redis-server answers", async || {
            if let Some(status) = process.exit_status() {
                assert!(process.has_printed("in use"), "{status}: {}", process.output());
                return Some(false);
            }
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            let pong: redis::RedisResult<String> =
                redis::cmd("PING").query_async(&mut connection).await;
            // While loading, it answers with an error. Another server on the port is not our
            // process.
            (pong.is_ok() && process.has_printed("Ready to accept connections")).then_some(true)
        })
        .await
        .then_some(process)
    }
}

fn copy_files(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
