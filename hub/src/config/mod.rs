//! The hub's configuration: one struct, validated before anything binds. Errors name the setting.
//!
//! Data flow: [`flags`] and the file, [`sources`], [`Config`]. Opens no connection.

pub mod console;
pub(crate) mod demo;
pub mod derived;
pub mod dev_token;
pub mod flags;
pub mod key_files;
pub(crate) mod limit_flags;
pub mod sources;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use native::base_url::base_text;
use native::functions::FunctionsConfig;
use native::identity::Keys;
use native::ops::MetricsAccess;
use native::process::open_files;
use native::secret::secret;
use native::token_file;
use shared::auth::{KeyConfig, KeySet};
use shared::live::Live;
use url::Url;

/// Part of [`Config`].
pub use native::redis::RedisTarget;

use crate::admission::Limits;
use crate::config::console::ConsoleAccess;
use crate::config::demo::Demo;
use crate::config::derived::Shutdown;
use crate::config::flags::{KeyArgs, ServeArgs};
use crate::config::key_files::KeyFiles;
use crate::config::limit_flags::LimitArgs;
use crate::limits::{
    BRIDGE_LEASE, CHANNEL_LINGER, CONSOLE_INTERVAL, CONSOLE_WRITE_DEADLINE, DRAIN_SPREAD,
    LISTEN_BACKLOG, MIB, PING_INTERVAL, PRESENCE_BEAT, PRESENCE_EXPIRY, PRESENCE_LEASE,
    QUEUED_BYTES_MAX, SUBSCRIPTION_PONG_DEADLINE, SUBSCRIPTION_SILENCE,
};

/// The validated configuration.
pub struct Config {
    pub listen: SocketAddr,
    pub listen_backlog: u32,
    pub redis: RedisTarget,
    /// The channels that the hub hears.
    pub live: Live,
    pub keys: Keys,
    /// Where they come from, to be read again.
    pub key_files: KeyFiles,
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

/// Intervals that tests shorten. Those of subscriptions, channels and the bridge are not settings.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub ping_interval: Duration,
    pub subscription_silence: Duration,
    pub subscription_pong_deadline: Duration,
    pub drain_spread: Duration,
    pub channel_linger: Duration,
    pub bridge_lease: Duration,
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
            channel_linger: CHANNEL_LINGER,
            bridge_lease: BRIDGE_LEASE,
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
        let (keys, key_files) = keys(&args.keys, env)?;
        Ok(Self {
            listen: args.listen,
            listen_backlog: args.listen_backlog,
            redis: RedisTarget::parse(&args.redis_url).context("--redis-url (REDIS_URL)")?,
            live: args.live,
            keys,
            key_files,
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
            live: Live::default(),
            keys: with_provider(keys)?,
            key_files: KeyFiles::default(),
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

/// The keys, with those of an identity provider if there is one.
fn with_provider(keys: KeySet) -> Result<Keys> {
    let keys = Keys::new(keys, concat!("bellwire-hub/", env!("CARGO_PKG_VERSION")));
    keys.context("cannot load certificates for the identity provider")
}

fn keys(args: &KeyArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<(Keys, KeyFiles)> {
    let config = KeyConfig {
        hs256_key: secret("AUTH_HS256_KEY", args.auth_hs256_key_file.as_deref(), env)?,
        jwks: secret("AUTH_JWKS", args.auth_jwks_file.as_deref(), env)?,
        issuer: args.auth_issuer.clone().unwrap_or_default(),
        audience: args.auth_audience.clone().unwrap_or_default(),
        jwks_url: args.auth_jwks_url.clone().unwrap_or_default(),
        user_claim: args.auth_user_claim.clone().unwrap_or_default(),
        scope_claim: args.auth_scope_claim.clone().unwrap_or_default(),
    };
    let sources = [
        key_source("AUTH_HS256_KEY", args.auth_hs256_key_file.as_deref(), &config.hs256_key),
        key_source("AUTH_JWKS", args.auth_jwks_file.as_deref(), &config.jwks),
        key_source("--auth-jwks-url (AUTH_JWKS_URL)", None, &config.jwks_url),
    ];
    // The error says which of them it means.
    let keys = KeySet::new(&config)
        .with_context(|| sources.into_iter().flatten().collect::<Vec<_>>().join(", "))?;
    Ok((with_provider(keys)?, KeyFiles::new(args, config)))
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
        .map(|origin| exact_origin(origin).map_err(|problem| anyhow!("{origin:?} {problem}")))
        .collect()
}

/// The origin of a page, as browsers send it (RFC 6454 §6.2).
fn exact_origin(origin: &str) -> Result<String, String> {
    if origin == "*" {
        return Err("is not an origin: name each origin whose pages may connect".to_owned());
    }
    if origin == "null" {
        let problem = "is what browsers send for pages that have no origin, such as files: such \
                       pages cannot be told apart, so none can be allowed";
        return Err(problem.to_owned());
    }
    let of = |text: &str| {
        let origin = Url::parse(text).ok()?.origin();
        origin.is_tuple().then(|| origin.ascii_serialization())
    };
    match of(origin) {
        Some(exact) if exact == origin => Ok(exact),
        Some(exact) => {
            Err(format!("is not an origin as browsers send it; did you mean {exact:?}?"))
        }
        // Without a scheme, `example.com:80` parses as a URL of the scheme `example.com`.
        None => match of(&format!("https://{origin}")).filter(|_| !origin.contains("://")) {
            Some(exact) => Err(format!("has no scheme; did you mean {exact:?}?")),
            None => Err("is not an origin: it must be like https://app.example.com".to_owned()),
        },
    }
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
