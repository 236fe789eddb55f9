//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use shared::live::Live;

use crate::channels::Part;

/// The usual crowd, rounds, and length of a measurement, also below.
const SOCKETS: usize = 10_000;
const ROUNDS: u32 = 3;
const TIME: Duration = Duration::from_secs(10);
/// The defaults with `--quick`, a check whether everything works.
const QUICK_SOCKETS: usize = 1_000;
const QUICK_TIME: Duration = Duration::from_secs(2);

/// Measures the hub, the same gateway in Node and a bare forwarder in turns, and prints tables.
///
/// Starts everything itself (Redis, gateways) and stops it at the end. The hub inherits the
/// environment variables. Build first: see `make bench-hub`.
#[derive(Debug, Parser)]
#[command(name = "bench-hub")]
pub struct Args {
    /// Number of sockets, each with its own user
    #[arg(long, default_value_t = SOCKETS, value_parser = parse_sockets)]
    pub sockets: usize,

    /// Messages per second of the steady load
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub rate: u32,

    /// Length of one measurement
    #[arg(long, default_value = "10", value_parser = parse_seconds)]
    pub seconds: Duration,

    /// Rounds of all measurements, in turns; the tables show medians
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Only checks that everything works: 1,000 sockets, 2 s, one round
    #[arg(long)]
    pub quick: bool,

    /// Measures only this gateway; may be repeated [default: all]
    #[arg(long)]
    pub only: Vec<Kind>,

    /// Uses another hub than the one beside this program
    #[arg(long, value_name = "PROGRAM")]
    pub hub: Option<PathBuf>,

    /// Adds an argument of the hub; may be repeated
    #[arg(long, value_name = "ARG", allow_hyphen_values = true)]
    pub hub_arg: Vec<String>,

    /// Also the hub with its console, without and with a viewer
    #[arg(long)]
    pub console: bool,

    /// Also the hub with a channel per user (live = own)
    #[arg(long)]
    pub own: bool,

    /// Instead: fleets of 1, 5 and 20 hubs, with live = all, own and bridge
    #[arg(long)]
    pub fleet: bool,

    /// Writes the charts to this directory [default: docs/charts; target/charts for a run with
    /// fewer gateways, sockets or rounds than usual, or a shorter one]
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,

    /// Instead: so many users' own channels on hubs of 17,000, whose connections are lost
    #[arg(long, value_name = "USERS", value_parser = clap::value_parser!(u32).range(1..=200_000))]
    pub channels: Option<u32>,

    /// Only runs clients, for `--channels`
    #[arg(long, hide = true)]
    pub clients: Option<Part>,

    /// Also writes the tables to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl Args {
    /// The arguments with the effect of `--quick`.
    pub fn parsed() -> Self {
        let args = Self::parse();
        match args.quick {
            true => Self { sockets: QUICK_SOCKETS, seconds: QUICK_TIME, rounds: 1, ..args },
            false => args,
        }
    }

    /// The directory of the charts.
    pub fn charts(&self) -> PathBuf {
        let is_usual = self.only.is_empty()
            && self.sockets >= SOCKETS
            && self.rounds >= ROUNDS
            && self.seconds >= TIME;
        self.charts.clone().unwrap_or_else(|| support::chart::directory(!is_usual))
    }

    pub fn wants(&self, kind: Kind) -> bool {
        let is_default = match kind {
            Kind::HubConsole | Kind::HubViewer => self.console,
            Kind::HubOwn => self.own,
            // What one hub costs does not differ from HubOwn; fleets show the difference.
            Kind::HubBridge => false,
            _ => self.only.is_empty(),
        };
        is_default || self.only.contains(&kind)
    }
}

/// The subjects of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The hub
    Hub,
    /// The same with a channel per user
    HubOwn,
    /// The same as a bridge for existing services
    HubBridge,
    /// The same with its console, which nobody looks at
    HubConsole,
    /// The same with one viewer
    HubViewer,
    /// The same gateway in Node: ws and ioredis
    Node,
    /// Nchan, the nginx module, if installed
    Nchan,
    /// A bare forwarder: the floor
    Floor,
}

impl Kind {
    pub fn is_hub(self) -> bool {
        !matches!(self, Kind::Node | Kind::Nchan | Kind::Floor)
    }

    /// On which channels it hears.
    pub fn live(self) -> Live {
        match self {
            Kind::HubOwn => Live::Own,
            Kind::HubBridge => Live::Bridge,
            _ => Live::All,
        }
    }

    pub fn has_console(self) -> bool {
        matches!(self, Kind::HubConsole | Kind::HubViewer)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Hub => "hub",
            Kind::HubOwn => "hub, live = own",
            Kind::HubBridge => "hub, live = bridge",
            Kind::HubConsole => "hub, console on",
            Kind::HubViewer => "hub, console and a viewer",
            Kind::Node => "Node, ws + ioredis",
            Kind::Nchan => "Nchan, in memory",
            Kind::Floor => "floor: bare forwarder",
        }
    }
}

/// User numbers have five digits, and both ends of every socket need files and ports.
fn parse_sockets(text: &str) -> Result<usize, String> {
    let sockets: Option<usize> = text.parse().ok().filter(|s| (1..=50_000).contains(s));
    sockets.ok_or_else(|| "must be from 1 to 50000".to_owned())
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|s| (0.1..=600.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be from 0.1 to 600".to_owned())
}
