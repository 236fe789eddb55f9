//! The command line. Every flag has an environment variable and a key in the file. Signing keys
//! have neither flag nor file key, because others can read those. An empty variable counts as unset
//! where that is meaningful; file names are strings for that reason (clap rejects an empty path).
//!
//! The flags are the only list of settings: the file ([`native::settings`]) replaces their defaults.

use std::net::SocketAddr;

use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser as _};
use clap::{ArgAction, Args, Parser, Subcommand};
use native::logging::{LogFormat, LogSettings};
use shared::live::Live;

use crate::config::limit_flags::{ConsoleArgs, LimitArgs, MetricsArgs, TimeArgs};
use crate::limits::LISTEN_BACKLOG;

/// Serves browsers' WebSockets and delivers the Redis channel `notifications` to them.
///
/// Pass keys by file (--auth-hs256-key-file, --auth-jwks-file) or by environment (AUTH_HS256_KEY,
/// AUTH_JWKS). Without a key every handshake is rejected.
#[derive(Debug, Parser)]
#[command(name = "bellwire-hub", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServeArgs,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve (the default).
    Serve(Box<ServeArgs>),
    /// Validate the configuration as `serve` would; print each setting and its source.
    CheckConfig(Box<CheckArgs>),
    /// Print only a token for development.
    Token(TokenArgs),
}

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Fail, too, if every handshake would be refused (no key), or if a variable is misspelt.
    #[arg(long)]
    pub strict: bool,

    /// Ask Redis, too: fail if it does not answer, or if its user lacks permissions.
    #[arg(long)]
    pub ask_redis: bool,

    #[command(flatten)]
    pub serve: ServeArgs,
}

#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// Configuration file (TOML; docs/hub.example.toml lists every setting). Flags and variables
    /// override it.
    #[arg(long, env = "BELLWIRE_HUB_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<String>,

    /// Address and port to listen on; port 0 takes a free one.
    #[arg(
        long,
        env = "BELLWIRE_HUB_LISTEN",
        default_value = "127.0.0.1:3001",
        value_parser = native::settings::listen
    )]
    pub(crate) listen: SocketAddr,

    /// Connections that the kernel queues until the hub accepts them.
    #[arg(
        long,
        env = "BELLWIRE_HUB_LISTEN_BACKLOG",
        default_value_t = LISTEN_BACKLOG,
        value_parser = clap::value_parser!(u32).range(1..=65_535),
        value_name = "N"
    )]
    pub(crate) listen_backlog: u32,

    /// Redis, as `redis://user:password@host:port/db`; a Redis Cluster, as
    /// `redis+cluster://host:port,host:port`; or Sentinel, as
    /// `redis+sentinel://host:port,host:port/name`. `rediss…://` for TLS.
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub(crate) redis_url: String,

    /// The channels that the hub hears: `all` for those of all users; `own` for those of its own
    /// users, which needs Redis 7; `bridge` for those, while one hub forwards what existing services
    /// publish on `notifications`. Functions and hubs need the same value.
    #[arg(
        long,
        env = "BELLWIRE_HUB_LIVE",
        default_value = "all",
        value_parser = PossibleValuesParser::new(["all", "bridge", "own"]).map(live),
        value_name = "CHANNELS"
    )]
    pub(crate) live: Live,

    #[command(flatten)]
    pub(crate) keys: KeyArgs,

    /// Exact origins, separated by commas, that browsers may connect from (such as
    /// `https://app.example.com`). A request with another `Origin` is rejected. Requests without
    /// `Origin` do not come from browsers and are allowed.
    #[arg(
        long,
        env = "BELLWIRE_HUB_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGINS"
    )]
    pub(crate) allowed_origins: Vec<String>,

    /// Also accept the token in the query parameter `access_token`. Off by default, because proxies
    /// log URLs.
    #[arg(
        long,
        env = "BELLWIRE_HUB_ALLOW_QUERY_TOKEN",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = FalseyValueParser::new(),
        value_name = "BOOL"
    )]
    pub(crate) allow_query_token: bool,

    /// Base URL of the functions. The hub calls its `POST /admin/relay` every 30 s and when Redis
    /// is back. Needs --relay-token-file.
    #[arg(long, env = "BELLWIRE_FUNCTIONS_URL", value_name = "URL")]
    pub(crate) functions_url: Option<String>,

    /// File with a token of scope `ops:write` for the relay; read again before every call.
    #[arg(long, env = "BELLWIRE_RELAY_TOKEN_FILE", value_name = "FILE")]
    pub(crate) relay_token_file: Option<String>,

    /// Serve the demo page `/demo`, which gets tokens of two users without a login. For development
    /// only: needs a loopback address, an HS256 key and --functions-url.
    #[arg(
        long,
        env = "BELLWIRE_HUB_DEMO",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true",
        value_parser = FalseyValueParser::new(),
        value_name = "BOOL"
    )]
    pub(crate) demo: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,

    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,

    #[command(flatten)]
    pub(crate) console: ConsoleArgs,

    #[command(flatten)]
    pub(crate) times: TimeArgs,

    #[command(flatten)]
    pub log: LogArgs,
}

/// The value of `--live`, one of the possible ones.
fn live(text: String) -> Live {
    Live::parse(&text).unwrap_or_default()
}

#[derive(Args, Clone, Debug)]
pub(crate) struct KeyArgs {
    /// File that contains the HS256 key, at least 32 bytes; read again every 10 s (or env:
    /// `AUTH_HS256_KEY`, the key itself).
    #[arg(long, env = "AUTH_HS256_KEY_FILE", value_name = "FILE")]
    pub(crate) auth_hs256_key_file: Option<String>,

    /// File with a JWK set; every key needs `alg`; read again every 10 s (or env: `AUTH_JWKS`, the
    /// set itself).
    #[arg(long, env = "AUTH_JWKS_FILE", value_name = "FILE")]
    pub(crate) auth_jwks_file: Option<String>,

    /// Required `iss` of tokens.
    #[arg(long, env = "AUTH_ISSUER", value_name = "ISS")]
    pub(crate) auth_issuer: Option<String>,

    /// Required `aud` of tokens.
    #[arg(long, env = "AUTH_AUDIENCE", value_name = "AUD")]
    pub(crate) auth_audience: Option<String>,

    /// Address of an identity provider's JWK set. Without it and without keys, the discovery
    /// document of the issuer names it (OpenID Connect Discovery).
    #[arg(long, env = "AUTH_JWKS_URL", value_name = "URL")]
    pub(crate) auth_jwks_url: Option<String>,

    /// Claim with the user's id (default: `sub`); a path such as `user.id` leads into objects.
    #[arg(long, env = "AUTH_USER_CLAIM", value_name = "CLAIM")]
    pub(crate) auth_user_claim: Option<String>,

    /// Claims with scopes, separated by spaces (default: `scope`): a text of scopes or an array.
    #[arg(long, env = "AUTH_SCOPE_CLAIM", value_name = "CLAIMS")]
    pub(crate) auth_scope_claim: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Format of the log on stderr.
    #[arg(long, env = "BELLWIRE_HUB_LOG_FORMAT", default_value = "compact")]
    pub(crate) log_format: LogFormat,

    /// What to log: a level, or directives such as `info,hub=debug`.
    #[arg(long, env = "BELLWIRE_HUB_LOG", default_value = "info", value_name = "FILTER")]
    pub(crate) log: String,
}

impl LogArgs {
    pub fn settings(&self) -> LogSettings<'_> {
        LogSettings {
            format: self.log_format,
            filter: &self.log,
            setting: "--log (BELLWIRE_HUB_LOG)",
        }
    }
}

#[derive(Args, Debug)]
pub struct TokenArgs {
    /// Subject of the token: a user id, or the name of a calling service.
    #[arg(long)]
    pub(crate) sub: String,

    /// Scopes, separated by spaces, such as "feed:read notifications:write". A user's own socket
    /// and feed need no scope.
    #[arg(long, default_value = "")]
    pub(crate) scope: String,

    /// File that contains the HS256 key (or env: `AUTH_HS256_KEY`, the key itself).
    #[arg(long, env = "AUTH_HS256_KEY_FILE", value_name = "FILE")]
    pub(crate) key_file: Option<String>,

    /// Hours until the token expires.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=87_600))]
    pub(crate) ttl_hours: u32,

    /// Seconds until the token expires, instead of hours.
    #[arg(
        long,
        value_name = "SECONDS",
        conflicts_with = "ttl_hours",
        value_parser = clap::value_parser!(u32).range(1..=315_360_000)
    )]
    pub(crate) ttl_seconds: Option<u32>,

    /// `iss` of the token, if the services require one.
    #[arg(long, env = "AUTH_ISSUER", value_name = "ISS")]
    pub(crate) issuer: Option<String>,

    /// `aud` of the token, if the services require one.
    #[arg(long, env = "AUTH_AUDIENCE", value_name = "AUD")]
    pub(crate) audience: Option<String>,
}
