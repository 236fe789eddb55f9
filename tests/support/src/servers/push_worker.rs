//! The push worker's program.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::http::Http;
use crate::process::{Process, Signal};

/// A worker starts within a second; a busy machine takes longer. It ends as fast, once what is on
/// its way has ended.
pub const START_LIMIT: Duration = Duration::from_secs(20);

/// A running worker. Dropping it kills it.
pub struct PushWorker {
    pub process: Process,
    /// Of the address of `--metrics-listen`.
    pub http: Http,
}

impl PushWorker {
    /// Starts the program; `command` has `--metrics-listen`. Returns when it listens.
    pub async fn start(command: &mut Command) -> Self {
        let mut process = Process::start("bellwire-push", command);
        let address = process.line("Listening http://", START_LIMIT).await;
        Self { process, http: Http::plain(&address) }
    }

    /// Status and body of `/readyz`.
    pub async fn ready(&self) -> (u16, String) {
        let answer = self.http.get("/readyz").send().await;
        (answer.status, answer.text().to_owned())
    }

    /// A value of `/metrics`; 0 if it is missing.
    pub async fn metric(&self, series: &str) -> f64 {
        let answer = self.http.get("/metrics").send().await;
        let line =
            answer.text().lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// SIGTERM, and the end.
    pub async fn end(&mut self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.process.ended(START_LIMIT).await
    }
}
