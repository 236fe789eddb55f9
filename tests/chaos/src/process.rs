//! The programs of a run: Redis, the hubs, and the existing service's gateway. Each is killed when
//! it is dropped.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep, timeout};

const START_DEADLINE: Duration = Duration::from_secs(20);
/// Of the gateway; it gives Redis 5 s.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// Below the ports that connections get, so that none of them takes it while a program is down.
pub fn free_port() -> Result<u16> {
    let mut ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_000)).take(100);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).context("a free port")
}

fn signal(child: &Child, name: &str) -> Result<()> {
    let status = Command::new("kill").arg(name).arg(child.id().to_string()).status()?;
    ensure!(status.success(), "cannot send {name}");
    Ok(())
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub struct Redis {
    pub port: u16,
    directory: TempDir,
    child: Option<Killed>,
}

impl Redis {
    pub async fn start() -> Result<Self> {
        let mut redis = Self { port: free_port()?, directory: tempfile::tempdir()?, child: None };
        redis.run().await?;
        Ok(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// With what the append-only file has.
    pub async fn run(&mut self) -> Result<()> {
        let child = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--loglevel", "warning"])
            .arg("--dir")
            .arg(self.directory.path())
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server")?;
        self.child = Some(Killed(child));
        let client = redis::Client::open(self.url())?;
        let start = Instant::now();
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                && redis::cmd("PING").exec_async(&mut connection).await.is_ok()
            {
                return Ok(());
            }
            ensure!(start.elapsed() < START_DEADLINE, "Redis does not start");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// With -9.
    pub fn kill(&mut self) {
        self.child = None;
    }

    pub fn signal(&self, name: &str) -> Result<()> {
        signal(&self.child.as_ref().context("Redis runs")?.0, name)
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("appendonlydir")
    }

    /// What an asynchronous replica would have by now.
    pub fn copy(&self) -> Result<TempDir> {
        let copy = tempfile::tempdir()?;
        copy_files(&self.data(), copy.path())?;
        Ok(copy)
    }

    /// Puts an older copy in the place of what it has; none: nothing at all.
    pub fn replace(&self, copy: Option<&TempDir>) -> Result<()> {
        std::fs::remove_dir_all(self.data())?;
        if let Some(copy) = copy {
            std::fs::create_dir(self.data())?;
            copy_files(copy.path(), &self.data())?;
        }
        Ok(())
    }

    pub async fn command(&self, words: &[&str]) -> Result<()> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let (name, arguments) = words.split_first().context("a command")?;
        Ok(redis::cmd(name).arg(arguments).exec_async(&mut connection).await?)
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}

pub struct Hub {
    pub address: SocketAddr,
    program: PathBuf,
    redis_url: String,
    functions_url: String,
    directory: TempDir,
    child: Option<Killed>,
}

impl Hub {
    pub async fn start(
        program: &Path,
        redis_url: String,
        functions_url: String,
        key: &str,
    ) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("key"), key)?;
        std::fs::write(directory.path().join("token"), "a token for the relay")?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let program = program.to_owned();
        let mut hub = Self { address, program, redis_url, functions_url, directory, child: None };
        hub.run().await?;
        Ok(hub)
    }

    pub async fn run(&mut self) -> Result<()> {
        let mut command = Command::new(&self.program);
        command
            .args(["--listen", &self.address.to_string(), "--functions-url", &self.functions_url])
            // All clients have one address, and come at once.
            .args(["--connections-per-address-max=100000", "--connects-per-address-per-s=100000"])
            .arg("--handshakes-per-s=100000")
            .arg("--relay-token-file")
            .arg(self.directory.path().join("token"))
            .arg("--auth-hs256-key-file")
            .arg(self.directory.path().join("key"))
            .env("REDIS_URL", &self.redis_url)
            .stdout(Stdio::null());
        // The log is read when something went wrong; one file over all lives.
        let log = std::env::temp_dir().join(format!("chaos-hub-{}.log", self.address.port()));
        command.stderr(std::fs::File::options().create(true).append(true).open(log)?);
        self.child = Some(Killed(command.spawn().context("the hub's program")?));
        let start = Instant::now();
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            ensure!(start.elapsed() < START_DEADLINE, "a hub does not start");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    pub fn kill(&mut self) {
        self.child = None;
    }

    /// Asks it to end and waits until it has, in order.
    pub async fn terminate(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the hub runs")?;
        signal(&child.0, "-TERM")?;
        let start = Instant::now();
        loop {
            if let Some(status) = child.0.try_wait()? {
                ensure!(status.success(), "a hub ended with {status}");
                return Ok(());
            }
            ensure!(start.elapsed() < START_DEADLINE, "a hub does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it has ended by itself.
    pub fn is_dead(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| !matches!(child.0.try_wait(), Ok(None)))
    }

    pub fn log(&self) -> PathBuf {
        std::env::temp_dir().join(format!("chaos-hub-{}.log", self.address.port()))
    }
}

/// `tests/peers/gateway.js`.
pub struct Gateway {
    child: tokio::process::Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Gateway {
    pub async fn start(program: &Path, redis_port: u16) -> Result<Self> {
        let mut child = tokio::process::Command::new("node")
            .arg(program)
            .arg(redis_port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node")?;
        let stdin = child.stdin.take().context("its stdin")?;
        let lines = BufReader::new(child.stdout.take().context("its stdout")?).lines();
        let mut gateway = Self { child, stdin, lines };
        let ready = gateway.answer().await?;
        ensure!(ready == json!({"ready": true}), "the gateway says {ready}");
        Ok(gateway)
    }

    /// Has it do something. `None` where Redis did not answer it.
    pub async fn call(&mut self, words: Value) -> Result<Option<Value>> {
        self.stdin.write_all(format!("{words}\n").as_bytes()).await?;
        let mut answer = self.answer().await?;
        Ok(answer.get_mut("ok").map(Value::take))
    }

    async fn answer(&mut self) -> Result<Value> {
        match timeout(ANSWER_DEADLINE, self.lines.next_line()).await.context("the gateway")?? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!("the gateway died: {:?}", self.child.wait().await?),
        }
    }
}
