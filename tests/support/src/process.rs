//! A server process: its output, signals, and its certain end.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::wait::eventually_within;

/// Lines shown of a server when its test fails.
const SHOWN_LINES_MAX: usize = 60;

/// A running program in a process group of its own. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    /// What it printed so far, standard output and error together.
    lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Spin starts a second process: signals go to both.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take().unwrap(), Arc::clone(&lines));
        collect(child.stderr.take().unwrap(), Arc::clone(&lines));
        Self { name: name.to_owned(), child, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether a line with `text` was printed.
    pub fn has_printed(&self, text: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process_group(pid, signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually_within(limit, &what, async || self.exit_status()).await
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let lines = self.lines.lock().unwrap();
            let shown = lines.len().saturating_sub(SHOWN_LINES_MAX);
            eprintln!("--- {} ---\n{}", self.name, lines[shown..].join("\n"));
        }
    }
}

fn collect(output: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    // Ends with the process.
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
        }
    });
}
