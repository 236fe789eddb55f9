//! What lies between a hub and its Redis: passes bytes on, late or not at all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Every piece comes so much later.
    Late(Duration),
    /// Takes everything and hands on nothing: half-open.
    Silent,
}

pub struct Proxy {
    pub address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    /// Counts up to cut all connections.
    cut: Arc<watch::Sender<u64>>,
}

impl Proxy {
    pub async fn start(redis_port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (mode, cut) =
            (Arc::new(watch::Sender::new(Mode::Pass)), Arc::new(watch::Sender::new(0)));
        let (modes, cuts) = (mode.clone(), cut.clone());
        tokio::spawn(async move {
            while let Ok((hub, _)) = listener.accept().await {
                let (modes, mut cuts) = (modes.clone(), cuts.subscribe());
                tokio::spawn(async move {
                    let Ok(redis) = TcpStream::connect(("127.0.0.1", redis_port)).await else {
                        return;
                    };
                    let ((from_hub, to_hub), (from_redis, to_redis)) =
                        (hub.into_split(), redis.into_split());
                    tokio::select! {
                        _ = pass(from_hub, to_redis, modes.subscribe()) => {}
                        _ = pass(from_redis, to_hub, modes.subscribe()) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        Ok(Self { address, mode, cut })
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    pub fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }
}

/// A connection that was silent stays so for what it swallowed: it is cut when the silence is over,
/// as the peer's kernel would.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let bytes = from.read(&mut buffer).await?;
        if bytes == 0 {
            return Ok(());
        }
        let mode = *modes.borrow_and_update();
        match mode {
            Mode::Pass => {}
            Mode::Late(time) => sleep(time).await,
            Mode::Silent => {
                let _ = modes.wait_for(|mode| *mode != Mode::Silent).await;
                return Ok(());
            }
        }
        to.write_all(buffer.get(..bytes).unwrap_or_default()).await?;
    }
}
