//! The only proxy between a program and its Redis: a network that can be slow, silent, cut or
//! redirected. Counts bytes and connections for tests.

mod cluster;
mod connection;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use cluster::ClusterProxy;
use connection::forward;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    /// Bytes to the server are kept.
    Held,
    /// Bytes are dropped, both ways; `release` closes the connections that lost some.
    Silent,
    /// New connections are closed.
    Cut,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    mode: Mode,
    /// Delay of every piece, for requests and for answers.
    delays: [Duration; 2],
    /// Number of cuts: a connection older than the last cut ends, even if it sees the change late.
    cuts: usize,
    /// Number of failovers, which end only connections without a subscription.
    failovers: usize,
}

/// The server for connections.
#[derive(Debug)]
struct Servers {
    server: String,
    /// Another server for connections that subscribe.
    subscribed: Option<String>,
    /// Ports that answers name, and what the client is told instead: see [`ClusterProxy`].
    shown_ports: Vec<(u16, u16)>,
}

/// State shared by the proxy and its connections.
struct Shared {
    state: watch::Sender<State>,
    servers: Mutex<Servers>,
    held_bytes: AtomicUsize,
    subscriptions: AtomicUsize,
}

/// Forwards connections to a server, until told otherwise. Ends with the test's runtime.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Listens on a free port and forwards to `server` (`host:port`).
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            state: watch::Sender::new(State::default()),
            servers: Mutex::new(Servers {
                server: server.to_owned(),
                subscribed: None,
                shown_ports: Vec::new(),
            }),
            held_bytes: AtomicUsize::new(0),
            subscriptions: AtomicUsize::new(0),
        });
        let of_connections = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, Arc::clone(&of_connections)));
            }
        });
        Self { port, shared }
    }

    /// `host:port` of the proxy itself.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The proxy's URL as a Redis.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Keeps the bytes that clients send from now on.
    pub fn hold(&self) {
        self.shared.held_bytes.store(0, Ordering::SeqCst);
        self.set(Mode::Held);
    }

    fn set(&self, mode: Mode) {
        self.shared.state.send_modify(|state| state.mode = mode);
    }

    /// Number of bytes kept since the last `hold`.
    pub fn held_bytes(&self) -> usize {
        self.shared.held_bytes.load(Ordering::SeqCst)
    }

    /// Drops every byte, both ways, from now on, like half-open connections. `release` closes a
    /// connection that lost bytes, as the peer's kernel would.
    pub fn silence(&self) {
        self.set(Mode::Silent);
    }

    /// Delays every piece of a request and of an answer from now on.
    pub fn delay(&self, requests: Duration, answers: Duration) {
        self.shared.state.send_modify(|state| state.delays = [requests, answers]);
    }

    /// Sends the kept bytes; forwards again, without delay.
    pub fn release(&self) {
        self.shared.state.send_modify(|state| {
            state.mode = Mode::Open;
            state.delays = Default::default();
        });
    }

    /// Closes every connection, and new ones, until `release`. Kept bytes are lost.
    pub fn cut(&self) {
        let state = &self.shared.state;
        state.send_modify(|state| (state.mode, state.cuts) = (Mode::Cut, state.cuts + 1));
    }

    /// Closes every connection; new ones are forwarded.
    pub fn disconnect(&self) {
        self.shared.state.send_modify(|state| state.cuts += 1);
    }

    /// Sets the server for new connections, after `cut`: a failover, as clients see it.
    pub fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.shared.servers.lock().unwrap().server);
        self.release();
    }

    /// A failover that leaves subscriptions on the old server: all other connections are closed,
    /// and new ones go to `server`.
    pub fn fail_over_to(&self, server: &str) {
        server.clone_into(&mut self.shared.servers.lock().unwrap().server);
        self.shared.state.send_modify(|state| state.failovers += 1);
    }

    /// Redirects connections to `server` when they subscribe; answers still on their way are lost.
    pub fn lead_subscriptions_to(&self, server: &str) {
        self.shared.servers.lock().unwrap().subscribed = Some(server.to_owned());
    }

    /// Number of connections that have subscribed.
    pub fn subscriptions(&self) -> usize {
        self.shared.subscriptions.load(Ordering::SeqCst)
    }
}
