//! Settings that most installations leave at their defaults: limits, metrics, times.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedI64ValueParser;

use crate::admission::client_address::ForwardedHeader;
use crate::limits::{
    CONNECTIONS_PER_ADDRESS_MAX, CONNECTS_PER_ADDRESS_PER_S, DRAIN_SPREAD, HANDSHAKES_PER_S, MIB,
    PING_INTERVAL, QUEUED_BYTES_MAX, SHUTDOWN_DEADLINE, SOCKETS_PER_USER_MAX,
};

/// A count up to a million: more is a typing mistake, and bursts that are multiples of it still
/// fit.
fn count(min: i64) -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(min..=1_000_000)
}

#[derive(Args, Clone, Debug)]
pub(crate) struct LimitArgs {
    /// Open TCP connections, including sockets; 0: as many as the limit of open files allows.
    #[arg(
        long,
        env = "BELLWIRE_HUB_CONNECTIONS_MAX",
        default_value_t = 0,
        value_parser = count(0),
        value_name = "N"
    )]
    pub(crate) connections_max: u32,

    /// Open sockets; 0: fifteen sixteenths of the connections.
    #[arg(
        long,
        env = "BELLWIRE_HUB_SOCKETS_MAX",
        default_value_t = 0,
        value_parser = count(0),
        value_name = "N"
    )]
    pub(crate) sockets_max: u32,

    /// Open sockets per user.
    #[arg(
        long,
        env = "BELLWIRE_HUB_SOCKETS_PER_USER_MAX",
        default_value_t = SOCKETS_PER_USER_MAX,
        value_parser = count(1),
        value_name = "N"
    )]
    pub(crate) sockets_per_user_max: u32,

    /// Open connections per address (IPv6: per /64).
    #[arg(
        long,
        env = "BELLWIRE_HUB_CONNECTIONS_PER_ADDRESS_MAX",
        default_value_t = CONNECTIONS_PER_ADDRESS_MAX,
        value_parser = count(1),
        value_name = "N"
    )]
    pub(crate) connections_per_address_max: u32,

    /// New connections per second and address; a burst may be five times as large.
    #[arg(
        long,
        env = "BELLWIRE_HUB_CONNECTS_PER_ADDRESS_PER_S",
        default_value_t = CONNECTS_PER_ADDRESS_PER_S,
        value_parser = count(1),
        value_name = "N"
    )]
    pub(crate) connects_per_address_per_s: u32,

    /// Handshakes per second in total; a burst may be one second's worth.
    #[arg(
        long,
        env = "BELLWIRE_HUB_HANDSHAKES_PER_S",
        default_value_t = HANDSHAKES_PER_S,
        value_parser = count(1),
        value_name = "N"
    )]
    pub(crate) handshakes_per_s: u32,

    /// MiB queued for all sockets together; beyond it, sockets with a queue are closed.
    #[arg(
        long,
        env = "BELLWIRE_HUB_QUEUED_MIB_MAX",
        default_value_t = (QUEUED_BYTES_MAX / MIB) as u32,
        value_parser = count(1),
        value_name = "MIB"
    )]
    pub(crate) queued_mib_max: u32,

    /// Networks (such as `10.0.0.0/8`) or addresses, separated by commas, of the proxies that the
    /// client's address is accepted from. Behind other proxies, all clients share the proxy's
    /// limits.
    #[arg(
        long,
        env = "BELLWIRE_HUB_TRUSTED_PROXIES",
        value_delimiter = ',',
        value_name = "NETWORKS"
    )]
    pub(crate) trusted_proxies: Vec<String>,

    /// The header with the client's address. Only one is read: proxies pass the other on unchanged.
    #[arg(long, env = "BELLWIRE_HUB_FORWARDED_HEADER", default_value = "x-forwarded-for")]
    pub(crate) forwarded_header: ForwardedHeader,
}

impl Default for LimitArgs {
    fn default() -> Self {
        Self {
            connections_max: 0,
            sockets_max: 0,
            sockets_per_user_max: SOCKETS_PER_USER_MAX,
            connections_per_address_max: CONNECTIONS_PER_ADDRESS_MAX,
            connects_per_address_per_s: CONNECTS_PER_ADDRESS_PER_S,
            handshakes_per_s: HANDSHAKES_PER_S,
            queued_mib_max: (QUEUED_BYTES_MAX / MIB) as u32,
            trusted_proxies: Vec::new(),
            forwarded_header: ForwardedHeader::default(),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct MetricsArgs {
    /// Separate address and port for `/metrics`, which is then served only there.
    #[arg(long, env = "BELLWIRE_HUB_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<String>,

    /// File with the bearer token that `/metrics` requires. Without it and without
    /// --metrics-listen, `/metrics` is not served.
    #[arg(long, env = "BELLWIRE_HUB_METRICS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) metrics_token_file: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConsoleArgs {
    /// Address and port of the console, a page for operators. Without it there is none. May be the
    /// address of --metrics-listen.
    #[arg(long, env = "BELLWIRE_HUB_CONSOLE_LISTEN", value_name = "ADDRESS")]
    pub(crate) console_listen: Option<String>,

    /// Base URL of the functions as browsers reach them, for the console's page; by default
    /// --functions-url.
    #[arg(long, env = "BELLWIRE_HUB_CONSOLE_FUNCTIONS_URL", value_name = "URL")]
    pub(crate) console_functions_url: Option<String>,

    /// Directory of the documents as `make site` writes them, served beside the console at /site/
    /// to anyone who reaches it: for development.
    #[arg(long, env = "BELLWIRE_HUB_CONSOLE_SITE_DIR", value_name = "DIRECTORY")]
    pub(crate) console_site_dir: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct TimeArgs {
    /// Seconds between pings to a socket.
    #[arg(
        long,
        env = "BELLWIRE_HUB_PING_INTERVAL_S",
        default_value_t = PING_INTERVAL.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_name = "S"
    )]
    pub(crate) ping_interval_s: u64,

    /// Milliseconds over which a stopping hub closes its sockets, and over which clients are told
    /// to reconnect, each at a random time.
    #[arg(
        long,
        env = "BELLWIRE_HUB_DRAIN_SPREAD_MS",
        default_value_t = DRAIN_SPREAD.as_millis() as u64,
        value_parser = clap::value_parser!(u64).range(0..=600_000),
        value_name = "MS"
    )]
    pub(crate) drain_spread_ms: u64,

    /// Seconds from the signal to the end of the process, in any case.
    #[arg(
        long,
        env = "BELLWIRE_HUB_SHUTDOWN_DEADLINE_S",
        default_value_t = SHUTDOWN_DEADLINE.as_secs(),
        value_parser = clap::value_parser!(u64).range(2..=3600),
        value_name = "S"
    )]
    pub(crate) shutdown_deadline_s: u64,
}
