//! How a redis-server is started.

use std::path::Path;
use std::process::Command;

/// What of the data outlives the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Persistence {
    /// Only what a `SAVE` wrote.
    #[default]
    None,
    /// An append-only file that is synced before a command is answered.
    EveryCommand,
    /// An append-only file that is synced every second, as most servers have it.
    EverySecond,
}

/// How a server is started, and what it may leave behind.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub persistence: Persistence,
    /// Keys without an expiry do not fail the test: it writes some itself, or looks on its own.
    pub may_leave_keys: bool,
}

impl Options {
    /// Listens on the loopback only, and writes to `dir` only.
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
