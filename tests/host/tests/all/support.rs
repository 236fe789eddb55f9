//! The host's program with the fixture, and requests to it. Everything else comes from the crate
//! `support`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use ::support::paths;
use ::support::process::{self, Process, Signal};
use ::support::redis_server::Options;
use ::support::{Http, RedisServer, eventually_within};
use tempfile::TempDir;

/// Long enough for a cold compile on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// The host's program and the fixture are in the same target directory.
pub(crate) fn program() -> PathBuf {
    paths::program("bellwire-host")
}

/// A directory with the fixture's manifest and files.
pub(crate) struct App {
    dir: TempDir,
}

impl App {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// The fixture after these replacements in its manifest, each of which must find something.
    pub(crate) fn with(replacements: &[(&str, &str)]) -> Self {
        let target = program().ancestors().nth(2).expect("target directory").to_owned();
        let wasm = target.join("wasm32-wasip2/component/host_fixture.wasm");
        assert!(
            wasm.is_file(),
            "{} is missing, build it: \
             cargo build --profile component --target wasm32-wasip2 -p host-fixture",
            wasm.display()
        );
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixture");
        let manifest = std::fs::read_to_string(fixture.join("spin.toml")).unwrap();
        let source = "../../../target/wasm32-wasip2/component/host_fixture.wasm";
        let built = (source, wasm.to_str().unwrap());
        let manifest =
            [built].iter().chain(replacements).fold(manifest, |manifest, (text, replacement)| {
                assert!(manifest.contains(text), "the fixture's spin.toml has no {text:?}");
                manifest.replace(text, replacement)
            });
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("spin.toml"), manifest).unwrap();
        std::fs::copy(fixture.join("greeting.txt"), dir.path().join("greeting.txt")).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The command of the host with this manifest: `secret` has a value, the port is free.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(["--from", self.path().join("spin.toml").to_str().unwrap()])
            .args(["--variable", "secret=s3"])
            .env("SPIN_HTTP_LISTEN_ADDR", "127.0.0.1:0")
            .args(arguments);
        command
    }

    /// Runs a start that must fail; returns the host's standard error.
    pub(crate) async fn failure(&self, arguments: &[&str]) -> String {
        let output = process::run(self.command(arguments), START_MAX).await;
        assert!(!output.status.success(), "the host started");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A running host.
pub(crate) struct Host {
    pub(crate) address: String,
    process: Process,
    http: Http,
    _app: App,
}

/// An answer, fully read.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Host {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_app(App::new(), arguments).await
    }

    pub(crate) async fn start_app(app: App, arguments: &[&str]) -> Self {
        Self::start_with(app, arguments, &[]).await
    }

    /// With environment variables.
    pub(crate) async fn start_with(
        app: App,
        arguments: &[&str],
        environment: &[(&str, OsString)],
    ) -> Self {
        let mut command = app.command(arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut process = Process::start("bellwire-host", &mut command);
        let address = process.line("Serving http://", START_MAX).await;
        let http = Http::plain(&address);
        Self { address, process, http, _app: app }
    }

    /// Sends a GET for an empty body, otherwise a POST.
    pub(crate) async fn call(&self, path: &str, body: &str) -> Answer {
        self.send(path, body, &[]).await
    }

    pub(crate) async fn send(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let method = if body.is_empty() { "GET" } else { "POST" };
        let call = self.http.call(method, path).body(body.to_owned());
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let answer = call.send().await;
        Answer { status: answer.status, body: answer.text().to_owned() }
    }

    /// The body of an answer that must be a 200.
    pub(crate) async fn ok(&self, path: &str, body: &str) -> String {
        let answer = self.call(path, body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// Waits for the next line on the host's standard error with this start; returns the rest of
    /// it.
    pub(crate) async fn line(&mut self, prefix: &str) -> String {
        self.process.error_line(prefix, START_MAX).await
    }

    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// Sends SIGTERM.
    pub(crate) fn signal(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Sends SIGTERM; returns the exit status.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal();
        self.process.ended(limit).await
    }
}

/// A Redis server without persistence.
pub(crate) struct Redis {
    pub(crate) url: String,
    server: RedisServer,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let options = Options { may_leave_keys: true, ..Options::default() };
        let server = RedisServer::start_with(options).await;
        Self { url: server.url(), server }
    }

    pub(crate) fn variable(&self) -> String {
        format!("redis_url={}", self.url)
    }

    /// Stops it and starts an empty one on the same port.
    pub(crate) async fn restart(&self) {
        self.server.replace_with_empty().await;
    }

    /// Returns once the port is closed.
    pub(crate) fn stop(&self) {
        self.server.kill();
    }

    pub(crate) async fn get(&self, key: &str) -> Option<String> {
        self.server.run_words(&["GET", key]).await
    }

    /// Waits until a key has a value.
    pub(crate) async fn wait_for(&self, key: &str, value: &str) {
        let what = format!("{key} is {value}");
        let is_there = async || (self.get(key).await.as_deref() == Some(value)).then_some(());
        eventually_within(START_MAX, &what, is_there).await;
    }
}
