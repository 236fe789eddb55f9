//! A process that answers each line of its standard input with a line of JSON.

use std::io::Write as _;
use std::process::{ChildStdin, Command};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::Value;
use support::process::Process;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;

pub struct Dialogue {
    name: String,
    process: Process,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Dialogue {
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        let (process, stdin, stdout) = Process::start_dialogue(name, command);
        let lines = BufReader::new(ChildStdout::from_std(stdout)?).lines();
        Ok(Self { name: name.to_owned(), process, stdin, lines })
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub async fn ask(&mut self, line: &str, limit: Duration) -> Result<Value> {
        writeln!(self.stdin, "{line}").with_context(|| self.failure())?;
        let answer = self.line(limit).await?;
        serde_json::from_str(&answer).with_context(|| format!("{}: {answer}", self.name))
    }

    /// The next line.
    pub async fn line(&mut self, limit: Duration) -> Result<String> {
        let line = timeout(limit, self.lines.next_line()).await;
        let line = line.with_context(|| format!("no answer in time: {}", self.failure()))??;
        line.with_context(|| format!("has ended: {}", self.failure()))
    }

    fn failure(&self) -> String {
        format!("{}, which printed:\n{}", self.name, self.process.output())
    }
}
