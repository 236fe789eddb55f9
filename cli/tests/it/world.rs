//! Functions, hub and Redis of a test, and the command with their addresses.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use shared::auth::Scope;
use support::paths;
use support::process::{Process, run};
use support::{Functions, Hub, RedisServer, jwt, token};

/// Longer than any command takes on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(40);

pub struct World {
    pub redis: RedisServer,
    pub functions: Functions,
    pub hub: Hub,
    pub dir: tempfile::TempDir,
    /// The token of the settings: every scope, and `sub` is `admin`.
    pub token: String,
}

impl World {
    pub async fn start() -> Self {
        let redis = RedisServer::start().await;
        let functions = Functions::start(&redis).await;
        let hub = Hub::start(&redis).await;
        Self::of(redis, functions, hub)
    }

    pub fn of(redis: RedisServer, functions: Functions, hub: Hub) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = token("admin", &Scope::ALL.map(Scope::as_str).join(" "));
        std::fs::write(dir.path().join("token"), format!("{token}\n")).unwrap();
        std::fs::write(dir.path().join("key"), jwt::KEY).unwrap();
        Self { redis, functions, hub, dir, token }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file beside the token; returns its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.file(name), text).unwrap();
        self.file(name).display().to_string()
    }

    /// The command with the addresses and the token in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.env("HOME", self.dir.path());
        command.env("BELLWIRE_URL", self.functions.url());
        command.env("BELLWIRE_HUB_URL", format!("http://{}", self.hub.address));
        command.env("BELLWIRE_TOKEN_FILE", self.file("token"));
        command
    }

    /// Runs the command to its end.
    pub async fn run(&self, arguments: &[&str]) -> Done {
        self.finish(self.command(arguments)).await
    }

    /// The same with the key that tokens are made with.
    pub async fn run_with_key(&self, arguments: &[&str]) -> Done {
        let mut command = self.command(arguments);
        command.env("BELLWIRE_KEY_FILE", self.file("key"));
        self.finish(command).await
    }

    pub async fn finish(&self, command: Command) -> Done {
        let done = finish(command).await;
        for secret in [self.token.as_str(), jwt::KEY] {
            assert!(!done.all().contains(secret), "a secret is printed: {}", done.all());
        }
        done
    }

    /// Starts a command that goes on.
    pub fn start_command(&self, arguments: &[&str]) -> Process {
        let mut command = self.command(arguments);
        command.env("BELLWIRE_KEY_FILE", self.file("key"));
        Process::start("bellwire", &mut command)
    }
}

/// The command without any environment.
pub fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(paths::program("bellwire"));
    command.env_clear().args(arguments);
    command
}

pub async fn finish(command: Command) -> Done {
    let output = run(command, LIMIT).await;
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// The command, which must have ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(!self.all().contains('\u{1b}'), "colours without a terminal: {self:#?}");
        self
    }

    /// The command, whose error must contain these words.
    #[track_caller]
    pub fn saying(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.stderr.contains(word), "{word:?}: {self:#?}");
        }
        self
    }

    /// The lines of the output as JSON.
    #[track_caller]
    pub fn json(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{self:#?}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The only line of the output as JSON.
    #[track_caller]
    pub fn one(&self) -> Value {
        let mut lines = self.json();
        assert_eq!(lines.len(), 1, "{self:#?}");
        lines.remove(0)
    }

    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
