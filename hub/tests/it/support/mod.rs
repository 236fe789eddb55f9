//! A hub in this process, and its clients. Shared parts come from the crate `support`: redis-server,
//! the proxy, the gateway in Node, WebSockets, event streams, the hub's program.

pub mod client;
pub mod echo;
pub mod feed;
pub mod peer;
pub mod program;
pub mod redis;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::redis::AsyncCommands as _;
use hub::admission::Limits;
use hub::admission::rate_limit::Rate;
use hub::config::{Config, Pace, RedisTarget};
use hub::relay::Relay;
use hub::server::{self, Listeners};
use native::functions::FunctionsConfig;
use native::ops::MetricsAccess;
use serde_json::json;
use shared::auth::{KeyConfig, KeySet};
use shared::live::Live;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use ::support::eventually_within;
pub use ::support::jwt::{KEY, sign};
pub use ::support::{Events, Gateway};
pub use client::Client;
pub use program::Program;
pub use redis::RedisServer;

pub const ORIGIN: &str = "https://app.example";
/// Longest wait for anything expected soon.
pub const SOON: Duration = Duration::from_secs(10);

/// A hub in this process.
pub struct Hub {
    pub address: SocketAddr,
    /// Of the console, if there is one.
    pub console_address: Option<SocketAddr>,
    pub redis: RedisServer,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<std::io::Result<()>>,
}

/// A test's deviations from the usual setup.
#[derive(Default)]
pub struct Options {
    pub live: Live,
    pub pace: Pace,
    pub relay: Option<(String, PathBuf)>,
    pub has_no_key: bool,
    /// The address of Redis for the hub, for example a proxy's.
    pub redis_url: Option<String>,
    /// Changes the default limits.
    pub limit: Option<fn(&mut Limits)>,
    pub metrics_token: Option<String>,
    /// Limit for all sockets together.
    pub queued_bytes_max: Option<usize>,
    pub has_console: bool,
    pub has_metrics_beside_console: bool,
    /// The functions' URL for the console's page.
    pub console_functions: Option<&'static str>,
    /// The documents beside the console.
    pub console_site: Option<PathBuf>,
    /// Where to listen, if not on the loopback interface.
    pub listen: Option<SocketAddr>,
}

impl Hub {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_in(live: Live) -> Self {
        Self::start_with(Options { live, ..Options::default() }).await
    }

    pub async fn start_with(options: Options) -> Self {
        // This process has both ends of the thousands of sockets of some tests.
        native::process::open_files::raise().unwrap();
        let hub = Self::start_on(RedisServer::start().await, options).await;
        hub.until_ready().await;
        hub
    }

    /// Also works while Redis is not running.
    pub async fn start_on(mut redis: RedisServer, options: Options) -> Self {
        redis.live = options.live;
        let hs256_key = if options.has_no_key { "" } else { KEY }.to_owned();
        let keys = KeySet::new(&KeyConfig { hs256_key, ..KeyConfig::default() }).unwrap();
        let relay = options.relay.map(|(url, token_file)| {
            Relay::new(FunctionsConfig { base: url, token_file }).unwrap()
        });
        let redis_target =
            RedisTarget::parse(&options.redis_url.unwrap_or_else(|| redis.url())).unwrap();
        let mut config = Config {
            allowed_origins: vec![ORIGIN.to_owned()],
            live: options.live,
            pace: options.pace,
            metrics: MetricsAccess { listen: None, token: options.metrics_token },
            ..Config::defaults(redis_target, keys).unwrap()
        };
        // All clients of a test have one address and connect at once.
        let rate = Rate { per_s: 100_000, burst: 100_000 };
        config.admission.connections_per_address_max = rate.burst;
        config.admission.connects_per_address = rate;
        config.admission.handshakes = rate;
        config.queued_bytes_max = options.queued_bytes_max.unwrap_or(config.queued_bytes_max);
        config.listen = options.listen.unwrap_or(config.listen);
        if let Some(limit) = options.limit {
            limit(&mut config.admission);
        }
        let listener = TcpListener::bind(config.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let console = match options.has_console {
            true => Some(TcpListener::bind("127.0.0.1:0").await.unwrap()),
            false => None,
        };
        let console_address = console.as_ref().map(|it| it.local_addr().unwrap());
        config.console.listen = console_address;
        if options.has_metrics_beside_console {
            config.metrics.listen = console_address;
        }
        config.console.functions = options.console_functions.map(str::to_owned);
        config.console.site = options.console_site;
        let listeners = Listeners { clients: listener, metrics: None, console };
        let running = tokio::spawn(server::run(listeners, config, relay, async {
            let _ = stopped.await;
        }));
        Self { address, console_address, redis, stop: Some(stop), running }
    }

    pub async fn get(&self, path: &str) -> Answer {
        request(self.address, &format!("GET {path} HTTP/1.1\r\nHost: hub\r\n\r\n")).await
    }

    /// A sample of `/metrics`, named without its prefix; the hub was started with the token `scrape`.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = "GET /metrics HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer scrape\r\n\r\n";
        let page = request(self.address, text).await.body;
        let value = page.lines().find_map(|line| {
            line.strip_prefix("bellwire_hub_")?.strip_prefix(name)?.strip_prefix(' ')
        });
        value.unwrap_or_else(|| panic!("{name}\n{page}")).parse().unwrap()
    }

    pub async fn until_ready(&self) {
        until("the hub is ready", async || self.get("/readyz").await.status == 200).await;
    }

    pub async fn until_not_ready(&self) {
        until("the hub is not ready", async || self.get("/readyz").await.status == 503).await;
    }

    /// A user's raw socket.
    pub async fn connect(&self, user: &str) -> Client {
        Client::connect(self.address, &token(user), None).await.unwrap()
    }

    /// A user's `bellwire.v1` socket, after its welcome.
    pub async fn connect_v1(&self, user: &str) -> (Client, String) {
        let mut client =
            Client::connect(self.address, &token(user), Some("bellwire.v1")).await.unwrap();
        let welcome = client.welcome().await;
        (client, welcome)
    }

    /// A user's socket that resumes; `query` includes its `?`.
    pub async fn resume(&self, user: &str, query: &str, protocol: &str) -> Client {
        let connection = TcpStream::connect(self.address).await.unwrap();
        Client::connect_to(connection, query, &token(user), Some(protocol)).await.unwrap()
    }

    /// A user's event stream; `query` includes its `?`, each of the `headers` its line break.
    pub async fn events(&self, user: &str, query: &str, headers: &str) -> Events {
        let bearer = format!("Authorization: Bearer {}\r\n{headers}", token(user));
        Events::connect(self.address, query, &bearer).await.patience(SOON)
    }

    /// Waits until the hub has ended by itself.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        tokio::time::timeout(SOON, &mut self.running).await.unwrap().unwrap()
    }

    /// Ends the hub as a signal would, and waits for it.
    pub async fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        tokio::time::timeout(SOON, &mut self.running).await.unwrap().unwrap().unwrap();
    }

    pub async fn online(&self) -> Vec<String> {
        let mut users: Vec<String> =
            self.redis.connection().await.smembers("online_users").await.unwrap();
        users.sort();
        users
    }

    pub async fn until_online(&self, users: &[&str]) {
        until(&format!("online: {users:?}"), async || self.online().await == users).await;
    }
}

/// Makes tests of functions that take the channels that the hub hears: one with those of all users,
/// one with those of its own users.
macro_rules! in_both_modes {
    ($($name:ident),* $(,)?) => {
        mod all {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(shared::live::Live::All).await;
            })*
        }

        mod own {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(shared::live::Live::Own).await;
            })*
        }
    };
}
pub(crate) use in_both_modes;

/// Waits for a condition, and fails with its name if it does not become true soon.
pub async fn until(name: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_within(SOON, name, async || condition().await.then_some(())).await;
}

pub fn now_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

pub fn token(user: &str) -> String {
    token_until(user, now_s() + 3600.0)
}

pub fn token_until(user: &str, exp: f64) -> String {
    sign(KEY, &json!({"sub": user, "exp": exp}))
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Lower-case names.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        body["code"].as_str().unwrap().to_owned()
    }
}

/// Sends a request unchanged and reads one answer, which must state its length.
pub async fn request(address: SocketAddr, text: &str) -> Answer {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let head_end = loop {
        let at = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(at) = at {
            break at + 4;
        }
        assert!(connection.read_buf(&mut bytes).await.unwrap() > 0, "no answer");
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: String::new() };
    let length: usize = answer.header("content-length").expect("Content-Length").parse().unwrap();
    while bytes.len() < head_end + length {
        assert!(connection.read_buf(&mut bytes).await.unwrap() > 0, "the body is too short");
    }
    answer.body = String::from_utf8(bytes[head_end..].to_vec()).unwrap();
    answer
}
