//! The gateways under test: started on a free port, with the same handshake.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use shared::live::Live;
use support::process::{Process, Signal};
use support::{Http, RedisServer, eventually_within, jwt, node, ports};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use crate::cli::{Args, Kind};
use crate::nchan;
use crate::wire::Wire;

const START_LIMIT: Duration = Duration::from_secs(20);

/// Programs and modules needed for the measurements.
pub struct Programs {
    hub: PathBuf,
    hub_args: Vec<String>,
    floor: PathBuf,
    /// `None` without Node, which omits this peer.
    node: Option<PathBuf>,
    /// `None` without an nginx that has the module.
    nchan: Option<PathBuf>,
    sockets: usize,
    dir: TempDir,
}

impl Programs {
    pub fn find(args: &Args) -> Result<Self> {
        let beside = |name| std::env::current_exe().map(|path| path.with_file_name(name));
        let hub = match &args.hub {
            Some(hub) => hub.clone(),
            None => beside("bellwire-hub")?,
        };
        let floor = beside("bench-hub-floor")?;
        for program in [&hub, &floor] {
            ensure!(program.is_file(), "{} is missing: see `make bench-hub`", program.display());
        }
        let node = args.wants(Kind::Node);
        let node = node.then(|| node::dir("tests/bench-hub/peers", "gateway-node", "server.js"));
        let dir = tempfile::tempdir()?;
        std::fs::write(key_file(dir.path()), jwt::KEY)?;
        let nchan = nchan::find();
        if nchan.is_none() && args.wants(Kind::Nchan) {
            eprintln!("without Nchan: no nginx with that module is installed");
        }
        let (hub_args, sockets) = (args.hub_arg.clone(), args.sockets);
        Ok(Self { hub, hub_args, floor, node: node.flatten(), nchan, sockets, dir })
    }

    pub fn has(&self, kind: Kind) -> bool {
        match kind {
            Kind::Hub | Kind::HubOwn | Kind::HubBridge => true,
            Kind::HubConsole | Kind::HubViewer | Kind::Floor => true,
            Kind::Node => self.node.is_some(),
            Kind::Nchan => self.nchan.is_some(),
        }
    }

    fn command(&self, kind: Kind, ports: [u16; 2], redis: &RedisServer) -> Result<Command> {
        let [port, console] = ports;
        Ok(match kind {
            Kind::Hub | Kind::HubOwn | Kind::HubBridge | Kind::HubConsole | Kind::HubViewer => {
                let mut command = Command::new(&self.hub);
                command.arg("--listen").arg(format!("127.0.0.1:{port}"));
                command.arg("--redis-url").arg(redis.url());
                command.arg("--auth-hs256-key-file").arg(key_file(self.dir.path()));
                // More clients than the default limits let in from so few addresses, and all at
                // once.
                command.args(["--connections-per-address-max=100000", "--handshakes-per-s=100000"]);
                command.arg("--connects-per-address-per-s=100000");
                if kind.live() != Live::All {
                    command.arg(format!("--live={}", kind.live().as_str()));
                }
                if kind.has_console() {
                    command.arg(format!("--console-listen=127.0.0.1:{console}"));
                }
                command.args(&self.hub_args);
                command
            }
            Kind::Node => {
                let dir = self.node.as_ref().context("the Node peer")?;
                let mut command = Command::new("node");
                command.arg(dir.join("server.js")).args([&port.to_string(), &redis.url()]);
                command.env("AUTH_HS256_KEY", jwt::KEY).env("NODE_ENV", "production");
                command
            }
            Kind::Nchan => {
                let module = self.nchan.as_ref().context("Nchan")?;
                nchan::command(module, self.dir.path(), port, self.sockets)?
            }
            Kind::Floor => {
                let mut command = Command::new(&self.floor);
                command.args([&port.to_string(), &redis.address()]);
                command
            }
        })
    }
}

fn key_file(dir: &Path) -> PathBuf {
    dir.join("key")
}

/// Opens the console's stream, and reads it until the task is aborted.
async fn watch(port: u16) -> Result<JoinHandle<()>> {
    let mut stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let token = jwt::token("viewer", "ops:read");
    let request =
        format!("GET /console/live HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = vec![0; 64 * 1024];
    let count = stream.read(&mut bytes).await?;
    ensure!(bytes.get(..count).is_some_and(|it| it.starts_with(b"HTTP/1.1 200")), "no viewer");
    Ok(tokio::spawn(async move { while stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {} }))
}

/// A running gateway.
pub struct Gateway {
    pub kind: Kind,
    process: Process,
    pub address: SocketAddr,
    viewer: Option<JoinHandle<()>>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.viewer.iter().for_each(JoinHandle::abort);
    }
}

impl Gateway {
    pub async fn start(programs: &Programs, kind: Kind, redis: &RedisServer) -> Result<Self> {
        let [port, console] = [ports::free(), ports::free()];
        let mut command = programs.command(kind, [port, console], redis)?;
        let process = Process::start(kind.name(), &mut command);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listens = || match kind {
            _ if kind.is_hub() => process.has_printed("Listening http://"),
            Kind::Node | Kind::Floor => process.has_printed("listening"),
            _ => TcpStream::connect(address).is_ok(),
        };
        let what = format!("{} listens", kind.name());
        eventually_within(START_LIMIT, &what, async || listens().then_some(())).await;
        if kind.is_hub() {
            let http = Http::plain(&format!("127.0.0.1:{port}"));
            eventually_within(START_LIMIT, "the hub is ready", async || {
                (http.get("/readyz").send().await.status == 200).then_some(())
            })
            .await;
        }
        let viewer = match kind {
            Kind::HubViewer => Some(watch(console).await?),
            _ => None,
        };
        Ok(Self { kind, process, address, viewer })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its output, to explain a failure.
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// The way of publishing to it.
    pub fn wire(&self, redis: &RedisServer) -> Wire {
        match self.kind {
            Kind::Nchan => Wire::Nchan(self.address),
            _ => Wire::Redis {
                address: redis.address(),
                live: self.kind.live(),
                is_one_hearer: true,
            },
        }
    }

    /// A user's handshake.
    pub fn handshake(&self, user: &str) -> Vec<u8> {
        handshake(self.kind, self.address, user)
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until the process ends by itself.
    pub async fn ended(&mut self, limit: Duration) {
        self.process.ended(limit).await;
    }
}

/// A user's handshake as from a browser, with the token in the list of protocols.
pub fn handshake(kind: Kind, address: SocketAddr, user: &str) -> Vec<u8> {
    let path = match kind {
        Kind::Floor | Kind::Nchan => format!("/ws/{user}"),
        _ => "/ws/notifications".to_owned(),
    };
    let protocols = match kind {
        // Nchan would look for its own protocol in the list.
        Kind::Nchan => String::new(),
        _ => {
            let token = jwt::token(user, "");
            format!("Sec-WebSocket-Protocol: bellwire.raw, bearer.{token}\r\n")
        }
    };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         {protocols}\r\n"
    )
    .into_bytes()
}
