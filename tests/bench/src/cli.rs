//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

/// The usual number of rounds, and the usual length of a measurement, also below.
pub const ROUNDS: u32 = 5;
pub const SECONDS: Duration = Duration::from_secs(3);

/// Measures the functions and a floor or a native peer in turns, and prints tables.
///
/// Starts everything itself (Redis, hosts, Postgres) and stops it at the end. Build first: see
/// `make bench`.
#[derive(Debug, Parser)]
#[command(name = "bench")]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Length of one measurement
    #[arg(long, default_value = "3", value_parser = parse_seconds)]
    pub seconds: Duration,

    /// Length of one measurement of `tails`, which is done once
    #[arg(long, default_value = "60", value_parser = parse_seconds)]
    pub tail_seconds: Duration,

    /// Rounds of all measurements, in turns; the tables show medians
    #[arg(long, default_value_t = ROUNDS, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,

    /// Runs only this scenario; may be repeated [default: all]
    #[arg(long)]
    pub only: Vec<Scenario>,

    /// Uses only this record [default: both]
    #[arg(long)]
    pub record: Option<RecordKind>,

    /// Users of the fan-out of `bulk`, each with one notification
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1_000..))]
    pub fan_out: u32,

    /// Writes the charts to this directory [default: docs/charts; target/charts for a run with
    /// fewer or shorter rounds than usual]
    #[arg(long, value_name = "DIR")]
    pub charts: Option<PathBuf>,

    /// Also writes the tables to a file as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Warm feed reads, compared with one Redis GET on the same host
    Feed,
    /// Fresh cache hits, compared with one Redis GET and a Node server, and fetches of the origin
    Cache,
    /// Many cached values in one request, compared with single reads and a Node server; a hot value
    /// with and without copies in the instances
    Pages,
    /// Queue throughput, compared with BullMQ
    Queues,
    /// Calls per request: scripts, commands, connections, SQL statements
    Counts,
    /// Allocations per request, inside the components
    Allocations,
    /// Creates, compared with an equivalent native axum service
    Create,
    /// Five operations, compared with a service in NestJS, Prisma and ioredis
    Nest,
    /// Creates in batches, compared with Prisma's `createMany` and a pipeline to Redis
    Bulk,
    /// Creates and warm feed reads on a Redis Cluster of three masters, compared with one Redis
    Cluster,
    /// The slowest creates, and the connections held meanwhile
    Tails,
    /// Start time of the host, and the sizes of the components
    Start,
}

/// The database of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RecordKind {
    Sqlite,
    Postgres,
}

/// The role of the program as its own peer.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// The native peer of `create`; started by the benchmark itself
    #[command(hide = true)]
    Native(NativeArgs),
}

/// The address and the databases of the native peer.
#[derive(Clone, Debug, clap::Args)]
pub struct NativeArgs {
    /// Port on 127.0.0.1
    #[arg(long)]
    pub port: u16,
    #[arg(long)]
    pub redis: String,
    /// HS256 key of the tokens
    #[arg(long)]
    pub key: String,
    /// File of the record, unless it is in Postgres
    #[arg(long)]
    pub sqlite: Option<PathBuf>,
    /// URL of the record
    #[arg(long, conflicts_with = "sqlite")]
    pub postgres: Option<String>,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|s| (0.1..=600.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be from 0.1 to 600".to_owned())
}
