//! A TCP proxy in front of Redis: a network that can be slow, silent or broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Open,
    /// Bytes towards the server wait here.
    Held,
    /// Connections are closed, new ones too.
    Cut,
}

/// Forwards connections to a server, until told otherwise. Ends with the test's runtime.
pub struct Proxy {
    port: u16,
    mode: Arc<watch::Sender<Mode>>,
    held_bytes: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a free port and forwards to `server` (`host:port`).
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(watch::Sender::new(Mode::Open));
        let held_bytes = Arc::new(AtomicUsize::new(0));
        let (server, modes, held) = (server.to_owned(), Arc::clone(&mode), Arc::clone(&held_bytes));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, mode, held) = (server.clone(), modes.subscribe(), Arc::clone(&held));
                tokio::spawn(forward(client, server, mode, held));
            }
        });
        Self { port, mode, held_bytes }
    }

    /// `host:port` of the proxy itself.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Keeps what clients send from now on.
    pub fn hold(&self) {
        self.held_bytes.store(0, Ordering::SeqCst);
        self.mode.send_replace(Mode::Held);
    }

    /// How many bytes wait since the last `hold`.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::SeqCst)
    }

    /// Sends on what was kept.
    pub fn release(&self) {
        self.mode.send_replace(Mode::Open);
    }

    /// Closes every connection, and new ones, until `release`.
    pub fn cut(&self) {
        self.mode.send_replace(Mode::Cut);
    }
}

async fn forward(
    client: TcpStream,
    server: String,
    mode: watch::Receiver<Mode>,
    held: Arc<AtomicUsize>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_read, client_write), (server_read, server_write)) =
        (client.into_split(), server.into_split());
    let mut cut = mode.clone();
    let nobody = Arc::new(AtomicUsize::new(0));
    // Whichever side ends first ends both.
    tokio::select! {
        () = copy(client_read, server_write, mode.clone(), held) => {}
        () = copy(server_read, client_write, mode, nobody) => {}
        _ = cut.wait_for(|mode| *mode == Mode::Cut) => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut mode: watch::Receiver<Mode>,
    held: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(bytes @ 1..) = from.read(&mut buffer).await else { return };
        if *mode.borrow() == Mode::Held {
            held.fetch_add(bytes, Ordering::SeqCst);
        }
        if mode.wait_for(|mode| *mode != Mode::Held).await.is_err()
            || to.write_all(&buffer[..bytes]).await.is_err()
        {
            return;
        }
    }
}
