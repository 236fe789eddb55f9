//! The hub's configuration: one struct, validated before anything binds. Errors name the setting.
//!
//! Data flow: [`flags`] and the file, [`sources`], [`Config`]. Opens no connection.

pub mod console;
pub(crate) mod demo;
pub mod derived;
pub mod dev_token;
pub mod flags;
pub(crate) mod limit_flags;
pub mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use native::base_url::base_text;
use native::functions::FunctionsConfig;
use native::ops::MetricsAccess;
use native::process::open_files;
use native::secret::secret;
use native::token_file;
use shared::auth::{KeyConfig, KeySet};
use url::Url;

/// Part of [`Config`].
pub use native::redis::RedisTarget;

use crate::admission::Limits;
use crate::config::console::ConsoleAccess;
use crate::config::demo::Demo;
use crate::config::derived::Shutdown;
use crate::config::flags::{KeyArgs, ServeArgs};
use crate::config::limit_flags::LimitArgs;
use crate::limits::{
    CONSOLE_INTERVAL, CONSOLE_WRITE_DEADLINE, DRAIN_SPREAD, LISTEN_BACKLOG, MIB, PING_INTERVAL,
    PRESENCE_BEAT, PRESENCE_EXPIRY, PRESENCE_LEASE, QUEUED_BYTES_MAX, SUBSCRIPTION_PONG_DEADLINE,
    SUBSCRIPTION_SILENCE,
};

/// The validated configuration.
pub struct Config {
    pub listen: SocketAddr,
    pub listen_backlog: u32,
    pub redis: RedisTarget,
    pub keys: KeySet,
    /// The values of `Origin` that are allowed, compared exactly.
    pub allowed_origins: Vec<String>,
    pub allow_query_token: bool,
    /// The functions whose relay is called.
    pub relay: Option<FunctionsConfig>,
    /// The demo page, if it is served.
    pub demo: Option<Demo>,
    pub admission: Limits,
    /// Bytes queued for all sockets together.
    pub queued_bytes_max: usize,
    pub metrics: MetricsAccess,
    pub console: ConsoleAccess,
    pub shutdown: Shutdown,
    pub pace: Pace,
}

/// Intervals that tests shorten. Those of the subscription are not settings.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub ping_interval: Duration,
    pub subscription_silence: Duration,
    pub subscription_pong_deadline: Duration,
    pub drain_spread: Duration,
    pub presence: PresencePace,
    pub console_interval: Duration,
    pub console_write_deadline: Duration,
}

/// Presence intervals; [`crate::limits`] gives the reasons.
#[derive(Clone, Copy, Debug)]
pub struct PresencePace {
    pub beat: Duration,
    pub lease: Duration,
    pub expiry: Duration,
}

impl Default for PresencePace {
    fn default() -> Self {
        Self { beat: PRESENCE_BEAT, lease: PRESENCE_LEASE, expiry: PRESENCE_EXPIRY }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            ping_interval: PING_INTERVAL,
            subscription_silence: SUBSCRIPTION_SILENCE,
            subscription_pong_deadline: SUBSCRIPTION_PONG_DEADLINE,
            drain_spread: DRAIN_SPREAD,
            presence: PresencePace::default(),
            console_interval: CONSOLE_INTERVAL,
            console_write_deadline: CONSOLE_WRITE_DEADLINE,
        }
    }
}

impl Config {
    /// Validates the settings. `env` looks up an environment variable; it is an argument so that
    /// tests need not change the process's environment.
    ///
    /// # Errors
    /// The problem and the setting's name, never a secret value.
    pub fn new(args: &ServeArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        Ok(Self {
            listen: args.listen,
            listen_backlog: args.listen_backlog,
            redis: RedisTarget::parse(&args.redis_url).context("--redis-url (REDIS_URL)")?,
            keys: keys(&args.keys, env)?,
            allowed_origins: origins(&args.allowed_origins)
                .context("--allowed-origins (BELLWIRE_HUB_ALLOWED_ORIGINS)")?,
            allow_query_token: args.allow_query_token,
            relay: relay(args)?,
            demo: Demo::new(args, env)?,
            admission: derived::limits(&args.limits, open_files::limit())?,
            queued_bytes_max: (args.limits.queued_mib_max as usize).saturating_mul(MIB),
            metrics: derived::metrics(&args.metrics)?,
            console: ConsoleAccess::new(&args.console, args.functions_url.as_deref())?,
            shutdown: Shutdown::new(&args.times)?,
            pace: Pace {
                ping_interval: Duration::from_secs(args.times.ping_interval_s),
                drain_spread: Duration::from_millis(args.times.drain_spread_ms),
                ..Pace::default()
            },
        })
    }
}

impl Config {
    /// The default configuration, for programs that run a hub in their own process.
    ///
    /// # Errors
    /// The limit of open files is too low.
    pub fn defaults(redis: RedisTarget, keys: KeySet) -> Result<Self> {
        Ok(Self {
            listen: ([127, 0, 0, 1], 0).into(),
            listen_backlog: LISTEN_BACKLOG,
            redis,
            keys,
            allowed_origins: Vec::new(),
            allow_query_token: false,
            relay: None,
            demo: None,
            admission: derived::limits(&LimitArgs::default(), open_files::limit())?,
            queued_bytes_max: QUEUED_BYTES_MAX,
            metrics: MetricsAccess::default(),
            console: ConsoleAccess::default(),
            shutdown: Shutdown::default(),
            pace: Pace::default(),
        })
    }
}

fn keys(args: &KeyArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<KeySet> {
    let config = KeyConfig {
        hs256_key: secret("AUTH_HS256_KEY", args.auth_hs256_key_file.as_deref(), env)?,
        jwks: secret("AUTH_JWKS", args.auth_jwks_file.as_deref(), env)?,
        issuer: args.auth_issuer.clone().unwrap_or_default(),
        audience: args.auth_audience.clone().unwrap_or_default(),
    };
    let sources = [
        key_source("AUTH_HS256_KEY", args.auth_hs256_key_file.as_deref(), &config.hs256_key),
        key_source("AUTH_JWKS", args.auth_jwks_file.as_deref(), &config.jwks),
    ];
    // The error says which of the two it means.
    KeySet::new(&config)
        .with_context(|| sources.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// Where [`secret`] found the value: the file, or else the variable.
fn key_source(name: &str, file: Option<&str>, value: &str) -> Option<String> {
    match file.filter(|file| !file.is_empty()) {
        Some(file) => Some(format!("{name}_FILE ({file})")),
        None => (!value.is_empty()).then(|| name.to_owned()),
    }
}

fn origins(list: &[String]) -> Result<Vec<String>> {
    let given = list.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty());
    given
        .map(|origin| {
            let parsed =
                Url::parse(origin).with_context(|| format!("{origin:?} is not an origin"))?;
            let exact = parsed.origin().ascii_serialization();
            ensure!(
                exact == origin,
                "{origin:?} is not an origin as browsers send it; did you mean {exact:?}?"
            );
            Ok(exact)
        })
        .collect()
}

fn relay(args: &ServeArgs) -> Result<Option<FunctionsConfig>> {
    let url = args.functions_url.as_deref().filter(|url| !url.is_empty());
    let token_file = args.relay_token_file.as_deref().filter(|file| !file.is_empty());
    let (url, token_file) = match (url, token_file) {
        (None, None) => return Ok(None),
        (Some(url), Some(token_file)) => (url, token_file),
        (Some(_), None) => {
            bail!("--functions-url needs --relay-token-file (BELLWIRE_RELAY_TOKEN_FILE)")
        }
        (None, Some(_)) => {
            bail!("--relay-token-file needs --functions-url (BELLWIRE_FUNCTIONS_URL)")
        }
    };
    let base = functions_base(url)?;
    let token_file = PathBuf::from(token_file);
    token_file::check(&token_file, "--relay-token-file (BELLWIRE_RELAY_TOKEN_FILE)")?;
    Ok(Some(FunctionsConfig { base, token_file }))
}

/// The functions' URL without a slash at its end.
fn functions_base(url: &str) -> Result<String> {
    base_text(url, "--functions-url (BELLWIRE_FUNCTIONS_URL)")
}

#[cfg(test)]
mod tests;
