//! A connection through the proxy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::sleep;

use super::cluster::ShownPorts;
use super::{Mode, Shared, State};

/// The command with its framing, since other commands may contain the word in an argument. It
/// arrives in one piece: it is a single write over loopback.
const SUBSCRIBE: [&[u8]; 2] = [b"$9\r\nSUBSCRIBE\r\n", b"$10\r\nSSUBSCRIBE\r\n"];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Requests,
    Answers,
}

/// Why forwarding stopped.
enum End {
    Closed,
    /// The client subscribes, and another server must answer: the bytes for that server.
    Subscribes(Vec<u8>),
}

struct Connection {
    shared: Arc<Shared>,
    /// The cuts and failovers before the connection began, which do not end it.
    begun: State,
    has_subscribed: AtomicBool,
}

/// Forwards one connection until either side closes it, or the proxy does.
pub(super) async fn forward(client: TcpStream, shared: Arc<Shared>) {
    let begun = *shared.state.borrow();
    if begun.mode == Mode::Cut {
        return;
    }
    let server = shared.servers.lock().unwrap().server.clone();
    let connection = Connection { shared, begun, has_subscribed: AtomicBool::new(false) };
    let Some((mut server_read, mut server_write)) = connect(&server).await else { return };
    let _ = client.set_nodelay(true);
    let (mut client_read, mut client_write) = client.into_split();
    let mut states = connection.shared.state.subscribe();
    loop {
        let requests = connection.copy(&mut client_read, &mut server_write, Direction::Requests);
        let answers = connection.copy(&mut server_read, &mut client_write, Direction::Answers);
        // The end of either side ends both.
        let end = tokio::select! {
            end = requests => end,
            end = answers => end,
            _ = states.wait_for(|state| connection.is_over(state)) => End::Closed,
        };
        let End::Subscribes(bytes) = end else { return };
        let elsewhere = connection.shared.servers.lock().unwrap().subscribed.clone();
        let Some(halves) = connect(&elsewhere.unwrap_or(server.clone())).await else { return };
        (server_read, server_write) = halves;
        if server_write.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn connect(server: &str) -> Option<(OwnedReadHalf, OwnedWriteHalf)> {
    let server = TcpStream::connect(server).await.ok()?;
    let _ = server.set_nodelay(true);
    Some(server.into_split())
}

impl Connection {
    fn is_over(&self, state: &State) -> bool {
        let is_left_behind = state.failovers != self.begun.failovers;
        state.cuts != self.begun.cuts
            || (is_left_behind && !self.has_subscribed.load(Ordering::SeqCst))
    }

    async fn copy(
        &self,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
        direction: Direction,
    ) -> End {
        let mut states = self.shared.state.subscribe();
        let mut buffer = vec![0; 64 * 1024];
        let mut shown = match direction {
            Direction::Answers => ShownPorts::new(&self.shared.servers.lock().unwrap().shown_ports),
            Direction::Requests => ShownPorts::default(),
        };
        loop {
            let Ok(bytes @ 1..) = from.read(&mut buffer).await else { return End::Closed };
            let piece = &buffer[..bytes];
            if direction == Direction::Requests && self.subscribes_elsewhere(piece) {
                return End::Subscribes(piece.to_vec());
            }
            if !self.may_pass(bytes, direction, &mut states).await {
                return End::Closed;
            }
            if to.write_all(&shown.translate(piece)).await.is_err() {
                return End::Closed;
            }
        }
    }

    /// Notes the first subscription; returns whether another server must answer it.
    fn subscribes_elsewhere(&self, piece: &[u8]) -> bool {
        let has = |word: &&[u8]| piece.windows(word.len()).any(|window| window == *word);
        let subscribes = SUBSCRIBE.iter().any(has);
        if !subscribes || self.has_subscribed.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.shared.subscriptions.fetch_add(1, Ordering::SeqCst);
        self.shared.servers.lock().unwrap().subscribed.is_some()
    }

    /// Waits for the proxy's delay of a piece; `false` if the piece, and with it the connection, is
    /// lost.
    async fn may_pass(
        &self,
        bytes: usize,
        direction: Direction,
        states: &mut watch::Receiver<State>,
    ) -> bool {
        let State { mode, delays, .. } = *states.borrow();
        match (mode, direction) {
            (Mode::Silent, _) => {
                let _ = states.wait_for(|state| state.mode != Mode::Silent).await;
                return false;
            }
            (Mode::Held, Direction::Requests) => {
                self.shared.held_bytes.fetch_add(bytes, Ordering::SeqCst);
                let is_decided = |state: &State| self.is_over(state) || state.mode != Mode::Held;
                let _ = states.wait_for(is_decided).await;
            }
            _ => {}
        }
        let delay = delays[direction as usize];
        if !delay.is_zero() {
            sleep(delay).await;
        }
        !self.is_over(&states.borrow())
    }
}
