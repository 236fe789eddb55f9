//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// Measures sends through FCM and Web Push, ours and those of libraries in Node, in turns against
/// one server, and prints tables.
///
/// Starts everything itself and stops it at the end. Build first: see `make bench-push`.
#[derive(Debug, Parser)]
#[command(name = "bench-push")]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Length of one measurement
    #[arg(long, default_value = "3", value_parser = parse_seconds)]
    pub seconds: Duration,

    /// Rounds of all measurements, in turns; the tables show medians
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Runs only this scenario; may be repeated [default: all]
    #[arg(long)]
    pub only: Vec<Scenario>,

    /// Pushes in flight; may be repeated
    #[arg(long, default_values_t = [100, 400])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub in_flight: Vec<u32>,

    /// Delay of the server's answers in milliseconds; may be repeated
    #[arg(long, default_values_t = [0, 40])]
    pub delay_ms: Vec<u64>,

    /// Threads of our sender
    #[arg(long, default_value_t = 2)]
    pub threads: usize,

    /// Users of a campaign
    #[arg(long, default_value_t = 100_000)]
    pub campaign_users: usize,

    /// Campaigns of each kind, in turns
    #[arg(long, default_value_t = 3)]
    pub campaign_rounds: u32,

    /// Measures no library in Node
    #[arg(long)]
    pub without_peers: bool,

    /// Also writes the tables to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Args {
    pub fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }
}

/// The scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// FCM, compared with firebase-admin and fcm-v1-http2
    Fcm,
    /// Web Push, compared with web-push
    Webpush,
    /// Campaigns through the worker
    Campaign,
}

/// What a process of ours sends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    Fcm,
    WebPush,
}

impl Service {
    pub fn name(self) -> &'static str {
        match self {
            Service::Fcm => "FCM",
            Service::WebPush => "Web Push",
        }
    }
}

/// The roles of the program besides the benchmark itself, which starts them.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// The push service
    #[command(hide = true)]
    Serve(ServeArgs),
    /// Our sender
    #[command(hide = true)]
    Send(SendArgs),
}

#[derive(Clone, Debug, clap::Args)]
pub struct ServeArgs {
    /// Description of keys and files
    pub setup: PathBuf,
    /// Port on 127.0.0.1
    pub port: u16,
}

#[derive(Clone, Debug, clap::Args)]
pub struct SendArgs {
    /// Description of keys and files
    pub setup: PathBuf,
    pub service: Service,
    pub in_flight: usize,
    pub threads: usize,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|s| (0.1..=600.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be from 0.1 to 600".to_owned())
}
