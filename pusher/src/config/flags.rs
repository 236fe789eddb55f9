//! The command line. Every flag has an environment variable and a key in the file. Secrets have
//! flags for a file, never for the value.

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use native::logging::{LogFormat, LogSettings};
use push::limits::{CONNECTIONS_PER_HOST, IN_FLIGHT};

use crate::limits::SHUTDOWN_DEADLINE_S;

/// Sends the pushes of notifications and campaigns through FCM, Web Push and APNs.
///
/// Needs the functions (--functions-url, --functions-token-file), Redis for campaigns, and the
/// credential of at least one service. Any number of workers may run.
#[derive(Debug, Parser)]
#[command(name = "bellwire-push", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Send pushes (the default).
    Serve(Box<ServeArgs>),
    /// Validate the configuration as `serve` would, credentials included; print each setting and
    /// its source.
    CheckConfig(Box<ServeArgs>),
    /// Write a new key for Web Push to a file that does not exist yet; print its public key.
    VapidKey(VapidKeyArgs),
}

#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Configuration file (TOML; docs/push.example.toml lists every setting). Flags and variables
    /// override it.
    #[arg(long, env = "BELLWIRE_PUSH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// Base URL of the functions.
    #[arg(long, env = "BELLWIRE_PUSH_FUNCTIONS_URL", value_name = "URL")]
    pub(crate) functions_url: Option<String>,

    /// File with a token of scopes `push:send notifications:write`; read again before every call.
    #[arg(long, env = "BELLWIRE_PUSH_FUNCTIONS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) functions_token_file: Option<String>,

    /// Redis, as `redis://user:password@host:port/db`; a Redis Cluster, as
    /// `redis+cluster://host:port,host:port`; or Sentinel, as
    /// `redis+sentinel://host:port,host:port/name`. `rediss…://` for TLS.
    #[arg(
        long,
        env = "BELLWIRE_PUSH_REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) redis_url: String,

    #[command(flatten)]
    pub(crate) services: ServiceArgs,

    /// Pushes in flight at the same time, over all services.
    #[arg(
        long,
        env = "BELLWIRE_PUSH_IN_FLIGHT",
        default_value_t = IN_FLIGHT as u32,
        value_parser = clap::value_parser!(u32).range(1..=10_000),
        value_name = "N"
    )]
    pub(crate) in_flight: u32,

    /// Connections to one host of a service.
    #[arg(
        long,
        env = "BELLWIRE_PUSH_CONNECTIONS_PER_HOST",
        default_value_t = CONNECTIONS_PER_HOST as u32,
        value_parser = clap::value_parser!(u32).range(1..=8),
        value_name = "N"
    )]
    pub(crate) connections_per_host: u32,

    /// Address and port for `/metrics`, `/healthz` and `/readyz`. Without it they are not served.
    #[arg(long, env = "BELLWIRE_PUSH_METRICS_LISTEN", value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<String>,

    /// File with the bearer token that `/metrics` requires.
    #[arg(long, env = "BELLWIRE_PUSH_METRICS_TOKEN_FILE", value_name = "FILE")]
    pub(crate) metrics_token_file: Option<String>,

    /// Seconds from the signal to the end of the process, in any case. Pushes that are on their way
    /// end within them.
    #[arg(
        long,
        env = "BELLWIRE_PUSH_SHUTDOWN_DEADLINE_S",
        default_value_t = SHUTDOWN_DEADLINE_S,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        value_name = "S"
    )]
    pub(crate) shutdown_deadline_s: u64,

    /// Allow services without TLS and on loopback addresses, with short deadlines. For development
    /// only.
    #[arg(
        long,
        env = "BELLWIRE_PUSH_DEVELOPMENT",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = FalseyValueParser::new(),
        value_name = "BOOL"
    )]
    pub(crate) development: bool,

    #[command(flatten)]
    pub log: LogArgs,
}

impl ServeArgs {
    pub fn is_development(&self) -> bool {
        self.development
    }
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServiceArgs {
    /// The service account of a Firebase project, as its console gives it (JSON). Turns FCM on.
    #[arg(long, env = "BELLWIRE_PUSH_FCM_SERVICE_ACCOUNT", value_name = "FILE")]
    pub(crate) fcm_service_account: Option<String>,

    /// Origin of FCM instead of Google's; needs --development.
    #[arg(long, env = "BELLWIRE_PUSH_FCM_ORIGIN", value_name = "ORIGIN")]
    pub(crate) fcm_origin: Option<String>,

    /// The key of Web Push, as `bellwire-push vapid-key` makes it. Turns Web Push on.
    #[arg(long, env = "BELLWIRE_PUSH_VAPID_KEY", value_name = "FILE")]
    pub(crate) vapid_key: Option<String>,

    /// Whom a push service may contact: `mailto:name@domain`, or an https URL.
    #[arg(long, env = "BELLWIRE_PUSH_VAPID_SUBJECT", value_name = "SUBJECT")]
    pub(crate) vapid_subject: Option<String>,

    /// Hosts, separated by commas, that subscriptions may lead to: `name`, or `*.name` for all
    /// below a name. By default those of the browsers' makers.
    #[arg(long, env = "BELLWIRE_PUSH_WEBPUSH_HOSTS", value_delimiter = ',', value_name = "HOSTS")]
    pub(crate) webpush_hosts: Vec<String>,

    /// Apple's key (`.p8`). Turns APNs on.
    #[arg(long, env = "BELLWIRE_PUSH_APNS_KEY", value_name = "FILE")]
    pub(crate) apns_key: Option<String>,

    /// Id of Apple's key.
    #[arg(long, env = "BELLWIRE_PUSH_APNS_KEY_ID", value_name = "ID")]
    pub(crate) apns_key_id: Option<String>,

    /// Id of the team that the key belongs to.
    #[arg(long, env = "BELLWIRE_PUSH_APNS_TEAM_ID", value_name = "ID")]
    pub(crate) apns_team_id: Option<String>,

    /// Topics (bundle ids), separated by commas, that may be sent to.
    #[arg(long, env = "BELLWIRE_PUSH_APNS_TOPICS", value_delimiter = ',', value_name = "TOPICS")]
    pub(crate) apns_topics: Vec<String>,
}

#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Format of the log on stderr.
    #[arg(long, env = "BELLWIRE_PUSH_LOG_FORMAT", default_value = "compact")]
    pub(crate) log_format: LogFormat,

    /// What to log: a level, or directives such as `info,push=debug`.
    #[arg(long, env = "BELLWIRE_PUSH_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,
}

impl LogArgs {
    pub fn settings(&self) -> LogSettings<'_> {
        LogSettings {
            format: self.log_format,
            filter: &self.log,
            setting: "--log (BELLWIRE_PUSH_LOG)",
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct VapidKeyArgs {
    /// The file to write.
    #[arg(value_name = "FILE")]
    pub file: std::path::PathBuf,
}
