//! The only launcher of programs: output is captured, every wait has a deadline, and the program
//! ends when its value is dropped.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};

use crate::wait::{POLL, eventually_within, within};

/// Lines of a server shown when its test fails.
const SHOWN_LINES_MAX: usize = 60;
/// Time limit for reading the last lines of an ended program.
const OUTPUT_LIMIT: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pipe {
    Output,
    Error,
}

/// A line printed by a program.
struct Line {
    pipe: Pipe,
    text: String,
}

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    /// Whether signals also go to its child processes.
    leads_group: bool,
    /// Everything printed so far, standard output and error in the order of arrival.
    lines: Arc<Mutex<Vec<Line>>>,
    /// Number of lines that `line` has passed.
    lines_passed: usize,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts a program in the process group of the test, so that Ctrl-C reaches both.
    pub fn start(name: &str, command: &mut Command) -> Self {
        Self::launch(name, command.stdin(Stdio::null()).stdout(Stdio::piped())).reading(None)
    }

    /// Starts a program that starts others (Spin, Postgres), in a process group of its own: signals
    /// go to all of them.
    pub fn start_group(name: &str, command: &mut Command) -> Self {
        let mut process = Self::start(name, command.process_group(0));
        process.leads_group = true;
        process
    }

    /// Starts a program and also appends its output to a file, for runs that keep their logs.
    pub fn start_logged(name: &str, command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log);
        let log = log.unwrap_or_else(|error| panic!("the log of {name}: {error}"));
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self::launch(name, command).reading(Some(&log))
    }

    /// Starts a program that reads questions from its standard input and answers on its standard
    /// output. Only standard error is captured.
    pub fn start_dialogue(name: &str, command: &mut Command) -> (Self, ChildStdin, ChildStdout) {
        let mut process = Self::launch(name, command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (stdin, stdout) = (process.child.stdin.take(), process.child.stdout.take());
        (process.reading(None), stdin.unwrap(), stdout.unwrap())
    }

    fn launch(name: &str, command: &mut Command) -> Self {
        let child = command
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self {
            name: name.to_owned(),
            child,
            leads_group: false,
            lines: Arc::default(),
            lines_passed: 0,
            readers: Vec::new(),
        }
    }

    fn reading(mut self, log: Option<&File>) -> Self {
        let log = || log.map(|log| log.try_clone().unwrap());
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        let of = |pipe| (pipe, Arc::clone(&self.lines), log());
        self.readers.extend(stdout.map(|it| collect(it, of(Pipe::Output))));
        self.readers.extend(stderr.map(|it| collect(it, of(Pipe::Error))));
        self
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether a line containing `text` was printed.
    pub fn has_printed(&self, text: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.text.contains(text))
    }

    /// Waits for the next line that begins with `start`, after the line returned by the previous
    /// call; returns the rest of it.
    pub async fn line(&mut self, start: &str, limit: Duration) -> String {
        self.next_line(start, &[Pipe::Output, Pipe::Error], limit).await
    }

    /// [`Self::line`] on standard error only.
    pub async fn error_line(&mut self, start: &str, limit: Duration) -> String {
        self.next_line(start, &[Pipe::Error], limit).await
    }

    async fn next_line(&mut self, start: &str, pipes: &[Pipe], limit: Duration) -> String {
        let name = self.name.clone();
        eventually_within(limit, &format!("{name} prints {start:?}"), async || {
            // Checked before the lines: an ending program may have printed the line last.
            let has_ended = self.exit_status().is_some() && self.is_read();
            let lines = self.lines.lock().unwrap();
            let next = lines.iter().enumerate().skip(self.lines_passed);
            let mut next = next.filter(|(_, line)| pipes.contains(&line.pipe));
            let found = next.find_map(|(at, line)| Some((at, line.text.strip_prefix(start)?)));
            if let Some((at, rest)) = found {
                self.lines_passed = at + 1;
                return Some(rest.to_owned());
            }
            assert!(!has_ended, "{name} has ended:\n{}", text(&lines));
            None
        })
        .await
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        text(&self.lines.lock().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        self.try_signal(signal).unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }

    fn try_signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let pid = Pid::from_child(&self.child);
        if self.leads_group { kill_process_group(pid, signal) } else { kill_process(pid, signal) }
    }

    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until the process ends by itself and its last lines are read.
    pub async fn ended(&mut self, limit: Duration) -> ExitStatus {
        // A plain loop: futures that contain `AsyncFnMut` are not `Send` enough to be spawned.
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.exit_status() {
                break status;
            }
            assert!(begun.elapsed() < limit, "not within {limit:?}: {} ends", self.name);
            tokio::time::sleep(POLL).await;
        };
        // Not an error after the deadline: an orphaned child may keep the pipe open.
        let begun = Instant::now();
        while !self.is_read() && begun.elapsed() < OUTPUT_LIMIT {
            tokio::time::sleep(POLL).await;
        }
        status
    }

    fn is_read(&self) -> bool {
        self.readers.iter().all(JoinHandle::is_finished)
    }

    /// Sends `kill -9` and waits for the end.
    pub fn kill(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.try_signal(Signal::KILL);
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
            eprintln!("--- {} ---\n{}", self.name, text(&lines[shown..]));
        }
    }
}

/// Runs a program to its end; returns exit status, standard output, standard error.
pub async fn run(command: Command, limit: Duration) -> Output {
    let what = format!("{} ends", command.get_program().display());
    let mut command = tokio::process::Command::from(command);
    let running = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = within(limit, &what, running).await;
    output.unwrap_or_else(|error| panic!("{what}: {error}"))
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// Reads until the process and its children have closed the pipe.
fn collect(
    output: impl Read + Send + 'static,
    (pipe, lines, mut log): (Pipe, Arc<Mutex<Vec<Line>>>, Option<File>),
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            let text = String::from_utf8_lossy(&line).into_owned();
            if let Some(log) = &mut log {
                let _ = writeln!(log, "{text}");
            }
            lines.lock().unwrap().push(Line { pipe, text });
        }
    })
}
