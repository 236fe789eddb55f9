//! A hub, and how clients come in.

use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::time::Duration;

use http::Request;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Error as WsError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::functions::Functions;
use crate::http::Http;
use crate::process::Process;
use crate::redis_server::RedisServer;
use crate::socket::Socket;
use crate::wait::{PATIENCE, eventually, within};
use crate::{jwt, paths, ports};

const STARTS_MAX: usize = 10;

/// A running hub.
pub struct Hub {
    port: u16,
    process: Mutex<Option<Process>>,
    /// Holds the files with the key and the relay's token.
    _dir: TempDir,
    pub http: Http,
}

impl Hub {
    /// A hub that only reads and delivers.
    pub async fn start(redis: &RedisServer) -> Self {
        Self::launch(&redis.address(), None).await
    }

    /// A hub that also asks `functions` to send what is pending.
    pub async fn start_with_relay(redis: &RedisServer, functions: &Functions) -> Self {
        Self::start_at(&redis.address(), functions).await
    }

    /// The same with Redis at an address (`host:port`), which may be a proxy's.
    pub async fn start_at(redis: &str, functions: &Functions) -> Self {
        Self::launch(redis, Some(functions.url())).await
    }

    async fn launch(redis: &str, functions_url: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (key, relay_token) = (dir.path().join("key"), dir.path().join("relay-token"));
        std::fs::write(&key, jwt::KEY).unwrap();
        std::fs::write(&relay_token, jwt::token("hub", "ops:write")).unwrap();
        for _ in 0..STARTS_MAX {
            let port = ports::free();
            let mut command = Command::new(paths::program("bellwire-hub"));
            command.arg("--listen").arg(format!("127.0.0.1:{port}"));
            command.arg("--redis-url").arg(format!("redis://{redis}"));
            command.arg("--auth-hs256-key-file").arg(&key);
            // All clients of a test have one address, and come at once.
            for rate in
                ["connections-per-address-max", "connects-per-address-per-s", "handshakes-per-s"]
            {
                command.arg(format!("--{rate}=100000"));
            }
            if let Some(url) = &functions_url {
                command.arg("--functions-url").arg(url);
                command.arg("--relay-token-file").arg(&relay_token);
            }
            let mut process = Process::start("bellwire-hub", &mut command);
            let serves = eventually("the hub listens", async || {
                if let Some(status) = process.exit_status() {
                    assert!(process.has_printed("in use"), "{status}: {}", process.output());
                    return Some(false);
                }
                process.has_printed("Listening http://").then_some(true)
            })
            .await;
            if serves {
                let http = Http::plain(&format!("127.0.0.1:{port}"));
                let hub = Self { port, process: Mutex::new(Some(process)), _dir: dir, http };
                hub.ready().await;
                return hub;
            }
        }
        panic!("the hub found no free port");
    }

    /// Waits until the hub follows the channel.
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
        let token = jwt::token(user, "");
        let request = self.request(query);
        let (mut head, ()) = request.into_parts();
        head.headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        head.headers.insert("sec-websocket-protocol", protocol.parse().unwrap());
        let socket = self.handshake(Request::from_parts(head, ())).await;
        socket.unwrap_or_else(|status| panic!("the handshake was refused with {status}"))
    }

    /// A handshake to which headers can be added.
    pub fn request(&self, query: &str) -> Request<()> {
        let separator = if query.is_empty() { "" } else { "?" };
        let url = format!("ws://127.0.0.1:{}/ws/notifications{separator}{query}", self.port);
        url.into_client_request().unwrap()
    }

    /// The socket, or the status with which the handshake was refused.
    pub async fn handshake(&self, request: Request<()>) -> Result<Socket, u16> {
        let connecting = tokio_tungstenite::connect_async(request);
        match within(PATIENCE, "a handshake", connecting).await {
            Ok((stream, response)) => Ok(Socket::new(stream, &response)),
            Err(WsError::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("handshake: {error:?}"),
        }
    }

    /// SIGTERM; the way it ended.
    pub async fn terminate(&self, limit: Duration) -> ExitStatus {
        let mut process = self.process.lock().unwrap().take().expect("a running hub");
        process.signal(Signal::TERM);
        process.ended(limit).await
    }
}
