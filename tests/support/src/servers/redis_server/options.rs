//! Settings of a redis-server.

use std::path::Path;
use std::process::Command;

/// The data that outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// Only the data of a `SAVE`.
    #[default]
    None,
    /// An append-only file, synced before each answer.
    EveryCommand,
    /// An append-only file, synced every second, as on most servers.
    EverySecond,
}

/// How a server is started, and whether it may leave keys behind.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub persistence: Persistence,
    /// Keys without an expiry do not fail the test: it writes some itself, or has its own check.
    pub may_leave_keys: bool,
}

impl Options {
    /// Listens on the loopback interface only, and writes only to `dir`.
    pub(super) fn command(&self, port: u16, dir: &Path) -> Command {
        let (append_only, sync) = match self.persistence {
            Persistence::None => ("no", "no"),
            Persistence::EveryCommand => ("yes", "always"),
            Persistence::EverySecond => ("yes", "everysec"),
        };
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", append_only, "--appendfsync", sync]);
        command.arg("--dir").arg(dir);
        command
    }
}
