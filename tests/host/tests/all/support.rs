//! Owns the processes of a test: a host, a Redis, and requests to the host. All end with the test.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

/// Long enough for a cold compile on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// The host's program and the fixture lie in one target directory.
pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_bellwire-host").into()
}

/// A directory with the fixture's manifest and files.
pub(crate) struct App {
    dir: TempDir,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::edited(|manifest| manifest)
    }

    pub(crate) fn edited(edit: impl Fn(String) -> String) -> Self {
        let target = program().ancestors().nth(2).expect("target directory").to_owned();
        let wasm = target.join("wasm32-wasip2/component/host_fixture.wasm");
        assert!(
            wasm.is_file(),
            "{} is missing, build it: \
             cargo build --profile component --target wasm32-wasip2 -p host-fixture",
            wasm.display()
        );
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixture");
        let manifest = std::fs::read_to_string(fixture.join("spin.toml")).unwrap();
        let manifest = manifest
            .replace("../../../target/wasm32-wasip2/component/host_fixture.wasm", {
                wasm.to_str().unwrap()
            });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("spin.toml"), edit(manifest)).unwrap();
        std::fs::copy(fixture.join("greeting.txt"), dir.path().join("greeting.txt")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The host on this manifest, not started; `secret` has a value, the port is free.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(program());
        command
            .args(["--from", self.path().join("spin.toml").to_str().unwrap()])
            .args(["--variable", "secret=s3"])
            .env("SPIN_HTTP_LISTEN_ADDR", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// For a start that is expected to fail: what the host writes on standard error.
    pub(crate) async fn failure(&self, arguments: &[&str]) -> String {
        let output = self.command().args(arguments).output().await.unwrap();
        assert!(!output.status.success(), "the host started");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A running host.
pub(crate) struct Host {
    pub(crate) address: String,
    pub(crate) child: Child,
    pub(crate) stderr: Lines<BufReader<ChildStderr>>,
    client: Client<HttpConnector, Full<Bytes>>,
    _app: App,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Host {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_app(App::new(), arguments).await
    }

    pub(crate) async fn start_app(app: App, arguments: &[&str]) -> Self {
        let mut child = app.command().args(arguments).spawn().unwrap();
        let stderr = lines(child.stderr.take());
        let mut stdout = lines(child.stdout.take());
        let first = timeout(START_MAX, stdout.next_line()).await.expect("no start in time");
        let Some(first) = first.unwrap() else { panic!("the host ended: {}", rest(stderr).await) };
        let address = first.strip_prefix("Serving http://").expect(&first).to_owned();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { address, child, stderr, client, _app: app }
    }

    /// GET for an empty body, POST else.
    pub(crate) async fn call(&self, path: &str, body: &str) -> Answer {
        self.send(path, body, &[]).await
    }

    pub(crate) async fn send(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = ::http::Request::builder()
            .method(if body.is_empty() { "GET" } else { "POST" })
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_owned())).unwrap();
        let answer = self.client.request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        Answer { status, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// The body of an answer that must be a 200.
    pub(crate) async fn ok(&self, path: &str, body: &str) -> String {
        let answer = self.call(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Waits for a line on the host's standard error and returns what follows `prefix`.
    pub(crate) async fn line(&mut self, prefix: &str) -> String {
        loop {
            let line = timeout(START_MAX, self.stderr.next_line()).await;
            let line = line.expect("no such line in time").unwrap().expect("the host ended");
            if let Some(rest) = line.strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }
}

fn lines<R: AsyncRead + Unpin>(pipe: Option<R>) -> Lines<BufReader<R>> {
    BufReader::new(pipe.expect("piped")).lines()
}

async fn rest<R: AsyncRead + Unpin>(mut lines: Lines<BufReader<R>>) -> String {
    let mut text = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        text += &line;
        text.push('\n');
    }
    text
}

/// A Redis server without persistence.
pub(crate) struct Redis {
    pub(crate) url: String,
    port: u16,
    child: Child,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        // Another process may take the port in between: then the next one is tried.
        for _ in 0..10 {
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            if let Some(redis) = Self::start_on(port).await {
                return redis;
            }
        }
        panic!("redis-server does not start: is it installed? (apt-get install redis-server)");
    }

    pub(crate) async fn start_on(port: u16) -> Option<Self> {
        let mut child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--dir", "/tmp"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("redis-server is not installed");
        let mut stdout = lines(child.stdout.take());
        while let Some(line) = timeout(START_MAX, stdout.next_line()).await.ok()?.ok()? {
            if line.contains("Ready to accept connections") {
                // Its later lines go nowhere; the pipe must stay open and be read.
                tokio::spawn(async move { while let Ok(Some(_)) = stdout.next_line().await {} });
                return Some(Self { url: format!("redis://127.0.0.1:{port}"), port, child });
            }
        }
        None
    }

    pub(crate) fn variable(&self) -> String {
        format!("redis_url={}", self.url)
    }

    /// Ends it and starts an empty one on the same port.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        Self::start_on(self.port).await.expect("the port is taken")
    }

    /// Returns when nobody listens any more.
    pub(crate) async fn stop(&mut self) {
        self.child.kill().await.unwrap();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        let client = ::redis::Client::open(self.url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        ::redis::AsyncCommands::get(&mut connection, key).await.unwrap()
    }

    /// Waits until a key has a value.
    pub(crate) async fn wait_for(&self, key: &str, value: &str) {
        let waited = timeout(START_MAX, async {
            while self.get(key).await.as_deref() != Some(value) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        waited.await.unwrap_or_else(|_| panic!("{key} is never {value}"));
    }
}
