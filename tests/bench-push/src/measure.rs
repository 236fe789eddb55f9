//! Measurements in turns against one server: A B C, C B A, … so that other load on the machine
//! affects all of them alike.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use support::{cpu, memory, ports};
use tempfile::TempDir;

use crate::cli::{Args, Service};
use crate::dialogue::Dialogue;
use crate::setup::Setup;
use crate::subject::{self, Subject};

/// A busy machine starts Node in seconds, and answers what is in flight at the end as late.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// Opens connections, gets a token, and lets Node compile.
const WARM_UP_S: &str = "1.5";

/// One measurement. CPU times are microseconds per send.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub sent: f64,
    pub sends_per_s: f64,
    pub cpu_us: f64,
    /// The process during the measurement, in cores.
    pub cores: f64,
    pub server_us: f64,
    /// p50, p99 and the slowest; `None` for a library that answers for a whole batch.
    pub latencies_ms: Option<[f64; 3]>,
    /// The most at once.
    pub connections: f64,
    /// New ones during the measurement.
    pub connects: f64,
    pub oauth: f64,
    pub body_bytes: f64,
    pub mib: f64,
}

/// What was measured, round by round.
#[derive(Debug)]
pub struct Series {
    pub subject: Subject,
    pub service: Service,
    pub in_flight: u32,
    pub delay_ms: u64,
    pub samples: Vec<Sample>,
}

/// The server, with the files of everybody.
pub struct Server {
    dialogue: Dialogue,
    pub setup: Setup,
    setup_file: PathBuf,
    _dir: TempDir,
}

impl Server {
    pub async fn start() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let port = ports::free();
        let (setup, setup_file) = Setup::make(&dir, port)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(&setup_file).arg(port.to_string());
        let mut dialogue = Dialogue::start("the push service", &mut command)?;
        dialogue.line(ANSWER_LIMIT).await?;
        Ok(Self { dialogue, setup, setup_file, _dir: dir })
    }

    pub fn pid(&self) -> u32 {
        self.dialogue.pid()
    }

    pub async fn delay(&mut self, ms: u64) -> Result<()> {
        self.dialogue.ask(&format!("delay {ms}"), ANSWER_LIMIT).await.map(drop)
    }

    /// What it got since the last time.
    pub async fn counts(&mut self) -> Result<Value> {
        self.dialogue.ask("counts", ANSWER_LIMIT).await
    }
}

/// Measures all subjects of a service with every number in flight and every delay.
pub async fn all(
    args: &Args,
    server: &mut Server,
    service: Service,
    peers: Option<&Path>,
) -> Result<Vec<Series>> {
    let mut all = Vec::new();
    for &in_flight in &args.in_flight {
        let subjects: Vec<Subject> = Subject::of(service)
            .iter()
            .copied()
            .filter(|subject| matches!(subject, Subject::Ours(_)) || peers.is_some())
            .collect();
        let start = |&subject: &Subject| {
            subject::start(args, subject, &server.setup_file, in_flight, peers)
        };
        let mut running: Vec<Dialogue> = subjects.iter().map(start).collect::<Result<_>>()?;
        for &delay_ms in &args.delay_ms {
            server.delay(delay_ms).await?;
            let mut series: Vec<Series> = subjects
                .iter()
                .map(|&subject| Series {
                    subject,
                    service,
                    in_flight,
                    delay_ms,
                    samples: Vec::new(),
                })
                .collect();
            for round in 0..args.rounds {
                let mut order: Vec<usize> = (0..subjects.len()).collect();
                if round % 2 == 1 {
                    order.reverse();
                }
                for at in order {
                    let one = &mut series[at];
                    let sample = once(args, server, &mut running[at], one).await?;
                    eprintln!("{}", line(round + 1, one, &sample));
                    one.samples.push(sample);
                }
            }
            all.extend(series);
        }
    }
    Ok(all)
}

async fn once(
    args: &Args,
    server: &mut Server,
    sender: &mut Dialogue,
    series: &Series,
) -> Result<Sample> {
    if series.samples.is_empty() {
        sender.ask(WARM_UP_S, ANSWER_LIMIT).await?;
    }
    server.counts().await?;
    let pids = [sender.pid(), server.pid()];
    let before = cpu::of_processes(pids);
    let seconds = args.seconds.as_secs_f64().to_string();
    let told = sender.ask(&seconds, ANSWER_LIMIT + args.seconds).await?;
    let after = cpu::of_processes(pids);
    let counts = server.counts().await?;
    let number = |value: &Value, name: &str| {
        value[name].as_f64().with_context(|| format!("{name} in {value}"))
    };
    let (sent, failed) = (number(&told, "sent")?, number(&told, "failed")?);
    let got = match series.service {
        Service::Fcm => number(&counts, "fcm")?,
        Service::WebPush => number(&counts, "webPush")?,
    };
    let name = series.subject.name();
    ensure!(sent > 0.0 && failed == 0.0, "{name}: {failed} sends failed, {sent} did not");
    ensure!(got == sent, "{name} sent {sent}, the server got {got}: {counts}");
    let us = |at: usize| (after[at].saturating_sub(before[at])).as_secs_f64() * 1e6 / sent;
    let took = number(&told, "seconds")?;
    let latencies = &told["latenciesMs"];
    Ok(Sample {
        sent,
        sends_per_s: sent / took,
        cpu_us: us(0),
        cores: us(0) * sent / 1e6 / took,
        server_us: us(1),
        latencies_ms: match [0, 1, 2].map(|at| latencies[at].as_f64()) {
            [Some(p50), Some(p99), Some(worst)] => Some([p50, p99, worst]),
            _ => None,
        },
        connections: number(&counts, "openMost")?,
        connects: number(&counts, "connections")?,
        oauth: number(&counts, "oauth")?,
        body_bytes: number(&counts, "bodyBytes")? / sent,
        mib: memory::pss(pids[0])? as f64 / 1024.0 / 1024.0,
    })
}

fn line(round: u32, series: &Series, sample: &Sample) -> String {
    let Series { subject, service, in_flight, delay_ms, .. } = series;
    let Sample { sent, sends_per_s, cpu_us, server_us, connections, mib, .. } = sample;
    format!(
        "round {round}, {}, {}, {in_flight} in flight, {delay_ms} ms: {sent} sends, \
         {sends_per_s:.0}/s, {cpu_us:.1} µs, server {server_us:.1} µs, {connections} connections, {mib:.1} MiB",
        subject.name(),
        service.name(),
    )
}
