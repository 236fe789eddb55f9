//! The only launcher of the hub's program, and the connections of clients.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use http::Request;
use tempfile::TempDir;

use crate::functions::Functions;
use crate::http::Http;
use crate::process::{Process, Signal};
use crate::redis_server::RedisServer;
use crate::socket::{self, Socket};
use crate::wait::{eventually, eventually_within};
use crate::{jwt, paths, ports};

const STARTS_MAX: usize = 10;
const START_LIMIT: Duration = Duration::from_secs(20);
/// All clients of a test have one address and connect at once.
const RATES: [&str; 3] =
    ["connections-per-address-max", "connects-per-address-per-s", "handshakes-per-s"];

/// The setup of a hub.
pub struct Setup {
    redis_url: String,
    program: Option<PathBuf>,
    key: String,
    arguments: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    log: Option<PathBuf>,
    /// Contains the files of the key and of the relay's token.
    dir: TempDir,
}

impl Setup {
    /// Uses another program than the one in the target directory.
    pub fn program(self, path: impl Into<PathBuf>) -> Self {
        Self { program: Some(path.into()), ..self }
    }

    /// Uses another HS256 key than the tests'; an empty one means none.
    pub fn key(self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self }
    }

    /// Calls the relay of the functions at `url`.
    pub fn relay(self, url: &str) -> Self {
        let token = self.dir.path().join("relay-token");
        std::fs::write(&token, jwt::token("hub", "ops:write")).unwrap();
        let token = format!("--relay-token-file={}", token.display());
        self.arguments(&[&format!("--functions-url={url}"), &token])
    }

    /// Adds arguments, each with its value after `=`.
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|&argument| argument.to_owned()));
        self
    }

    /// Sets environment variables.
    pub fn env(mut self, variables: impl IntoIterator<Item = (&'static str, OsString)>) -> Self {
        self.environment.extend(variables);
        self
    }

    /// Appends the output of all its runs to a file.
    pub fn log(self, path: PathBuf) -> Self {
        Self { log: Some(path), ..self }
    }

    /// Starts a hub that listens; it may not have connected to Redis yet.
    pub async fn start(self) -> Hub {
        for _ in 0..STARTS_MAX {
            let port = ports::free();
            if let Some(process) = self.launch(port).await {
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                let http = Http::plain(&address.to_string());
                return Hub { address, http, setup: self, process: Mutex::new(Some(process)) };
            }
        }
        panic!("the hub found no free port");
    }

    /// `None` if the port was taken meanwhile.
    async fn launch(&self, port: u16) -> Option<Process> {
        let program = self.program.clone().unwrap_or_else(|| paths::program("bellwire-hub"));
        let mut command = Command::new(program);
        command.arg(format!("--listen=127.0.0.1:{port}"));
        command.arg(format!("--redis-url={}", self.redis_url));
        if !self.key.is_empty() {
            let key = self.dir.path().join("key");
            std::fs::write(&key, &self.key).unwrap();
            command.arg(format!("--auth-hs256-key-file={}", key.display()));
        }
        let is_set = |name: &str| self.arguments.iter().any(|argument| argument.contains(name));
        let rates = RATES.iter().filter(|rate| !is_set(rate));
        command.args(rates.map(|rate| format!("--{rate}=100000"))).args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut process = match &self.log {
            Some(log) => Process::start_logged("bellwire-hub", &mut command, log),
            None => Process::start("bellwire-hub", &mut command),
        };
        eventually_within(START_LIMIT, "the hub listens", async || {
            if let Some(status) = process.exit_status() {
                assert!(process.has_printed("in use"), "{status}: {}", process.output());
                return Some(false);
            }
            process.has_printed("Listening http://").then_some(true)
        })
        .await
        .then_some(process)
    }
}

/// A running hub.
pub struct Hub {
    pub address: SocketAddr,
    pub http: Http,
    setup: Setup,
    process: Mutex<Option<Process>>,
}

impl Hub {
    /// The usual setup: the tests' key, and no relay.
    pub fn with(redis_url: &str) -> Setup {
        Setup {
            redis_url: redis_url.to_owned(),
            program: None,
            key: jwt::KEY.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: None,
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A hub that only reads and delivers, once it is ready.
    pub async fn start(redis: &RedisServer) -> Self {
        let hub = Self::with(&redis.url()).start().await;
        hub.ready().await;
        hub
    }

    /// A hub that also asks `functions` to send pending entries, once it is ready.
    pub async fn start_with_relay(redis: &RedisServer, functions: &Functions) -> Self {
        Self::start_at(&redis.address(), functions).await
    }

    /// [`Self::start_with_relay`] with Redis at another address (`host:port`), for example a
    /// proxy's.
    pub async fn start_at(redis: &str, functions: &Functions) -> Self {
        let setup = Self::with(&format!("redis://{redis}"));
        let hub = setup.relay(&functions.url()).start().await;
        hub.ready().await;
        hub
    }

    /// Waits until the hub is ready.
    pub async fn ready(&self) {
        eventually("the hub is ready", async || {
            (self.http.get("/readyz").send().await.status == 200).then_some(())
        })
        .await;
    }

    /// A `bellwire.v1` socket with the user's own token, after its welcome.
    pub async fn connect(&self, user: &str) -> Socket {
        let mut socket = self.open(user, "bellwire.v1", "").await;
        let welcome = socket.json().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        socket
    }

    /// A `bellwire.raw` socket with the user's own token.
    pub async fn connect_raw(&self, user: &str) -> Socket {
        self.open(user, "bellwire.raw", "").await
    }

    /// A socket with the user's own token; `query` without `?`.
    pub async fn open(&self, user: &str, protocol: &str, query: &str) -> Socket {
        let mut request = self.request(query);
        let headers = request.headers_mut();
        let token = jwt::token(user, "");
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        let socket = self.handshake(request).await;
        socket.unwrap_or_else(|status| panic!("the handshake was rejected with {status}"))
    }

    /// A handshake to which headers can be added; `query` without `?`.
    pub fn request(&self, query: &str) -> Request<()> {
        let separator = if query.is_empty() { "" } else { "?" };
        socket::handshake(&format!("/ws/notifications{separator}{query}"))
    }

    /// The socket, or the status that rejected the handshake.
    pub async fn handshake(&self, request: Request<()>) -> Result<Socket, u16> {
        Socket::handshake(self.address, request).await
    }

    fn running<T>(&self, look: impl FnOnce(&mut Process) -> T) -> T {
        look(self.process.lock().unwrap().as_mut().expect("a running hub"))
    }

    pub fn pid(&self) -> u32 {
        self.running(|process| process.pid())
    }

    /// The whole output since its start.
    pub fn output(&self) -> String {
        self.running(|process| process.output())
    }

    pub fn log(&self) -> Option<&Path> {
        self.setup.log.as_deref()
    }

    pub fn signal(&self, signal: Signal) {
        self.running(|process| process.signal(signal));
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.running(|process| process.exit_status().is_some())
    }

    /// Kills it, like a crash.
    pub fn kill(&self) {
        self.process.lock().unwrap().take().expect("a running hub").kill();
    }

    /// Starts it again on its port.
    pub async fn restart(&self) {
        assert!(self.process.lock().unwrap().is_none(), "the hub still runs");
        let process = self.setup.launch(self.address.port()).await;
        *self.process.lock().unwrap() = Some(process.expect("the hub starts again on its port"));
    }

    /// Stops it with SIGTERM, and starts another program on the same port.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    pub async fn exchange(&mut self, program: PathBuf, limit: Duration) {
        self.terminate(limit).await;
        self.setup.program = Some(program);
        self.restart().await;
    }

    /// Sends SIGTERM; returns the exit status.
    pub async fn terminate(&self, limit: Duration) -> ExitStatus {
        self.end_by(Signal::TERM, limit).await.0
    }

    /// Sends a signal that ends it; returns the exit status and the whole output.
    pub async fn end_by(&self, signal: Signal, limit: Duration) -> (ExitStatus, String) {
        self.signal(signal);
        self.ended(limit).await
    }

    /// Waits until it has ended by itself; returns the exit status and the whole output.
    pub async fn ended(&self, limit: Duration) -> (ExitStatus, String) {
        let mut process = self.process.lock().unwrap().take().expect("a running hub");
        (process.ended(limit).await, process.output())
    }
}
