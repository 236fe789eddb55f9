//! A TCP proxy in front of Redis: a network that can be slow, silent or broken.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    /// Bytes towards the server wait here.
    Held,
    /// New connections are closed.
    Cut,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// A connection from before the last cut ends, also when it hears of it late.
    cuts: usize,
}

/// Forwards connections to a server, until told otherwise. Ends with the test's runtime.
pub struct Proxy {
    port: u16,
    state: Arc<watch::Sender<State>>,
    held_bytes: Arc<AtomicUsize>,
    /// Where new connections go.
    server: Arc<Mutex<String>>,
}

impl Proxy {
    /// Listens on a free port and forwards to `server` (`host:port`).
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(watch::Sender::new(State { mode: Mode::Open, cuts: 0 }));
        let held_bytes = Arc::new(AtomicUsize::new(0));
        let server = Arc::new(Mutex::new(server.to_owned()));
        let (states, held) = (Arc::clone(&state), Arc::clone(&held_bytes));
        let target = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (state, held) = (states.subscribe(), Arc::clone(&held));
                let server = target.lock().unwrap().clone();
                tokio::spawn(forward(client, server, state, held));
            }
        });
        Self { port, state, held_bytes, server }
    }

    /// `host:port` of the proxy itself.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Keeps what clients send from now on.
    pub fn hold(&self) {
        self.held_bytes.store(0, Ordering::SeqCst);
        self.set(Mode::Held);
    }

    fn set(&self, mode: Mode) {
        self.state.send_modify(|state| state.mode = mode);
    }

    /// How many bytes wait since the last `hold`.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::SeqCst)
    }

    /// Sends on what was kept.
    pub fn release(&self) {
        self.set(Mode::Open);
    }

    /// Closes every connection, and new ones, until `release`. What was kept is lost.
    pub fn cut(&self) {
        self.state.send_modify(|state| *state = State { mode: Mode::Cut, cuts: state.cuts + 1 });
    }

    /// After `cut`: where connections go from now on. A failover, seen from the clients.
    pub fn lead_to(&self, server: &str) {
        server.clone_into(&mut self.server.lock().unwrap());
        self.release();
    }
}

async fn forward(
    client: TcpStream,
    server: String,
    mut state: watch::Receiver<State>,
    held: Arc<AtomicUsize>,
) {
    let State { mode, cuts } = *state.borrow();
    if mode == Mode::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_read, client_write), (server_read, server_write)) =
        (client.into_split(), server.into_split());
    let (towards, back) = (state.clone(), state.clone());
    let nobody = Arc::new(AtomicUsize::new(0));
    // Whichever side ends first ends both.
    tokio::select! {
        () = copy(client_read, server_write, towards, cuts, held) => {}
        () = copy(server_read, client_write, back, cuts, nobody) => {}
        _ = state.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    cuts: usize,
    held: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(bytes @ 1..) = from.read(&mut buffer).await else { return };
        if state.borrow().mode == Mode::Held {
            held.fetch_add(bytes, Ordering::SeqCst);
        }
        let is_decided = |state: &State| state.cuts != cuts || state.mode != Mode::Held;
        let is_cut = state.wait_for(is_decided).await.map_or(true, |state| state.cuts != cuts);
        if is_cut || to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
}
