//! The worker's configuration: one struct, checked before anything starts. Errors name the setting.

pub mod flags;
pub mod sources;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use native::base_url::base_text;
use native::functions::FunctionsConfig;
use native::ops::MetricsAccess;
use native::redis::RedisTarget;
use native::token_file;
use push::Origin;
use push::sender::{ApnsConfig, FcmConfig, WebPushConfig};
use push::webpush::{Allowed, check_subject};
use shared::limits::{CAMPAIGN_LEASE_MS, CAMPAIGN_RAMP_MS};

use self::flags::{ServeArgs, ServiceArgs};

/// The checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    pub functions: FunctionsConfig,
    pub redis: RedisTarget,
    pub sender: push::sender::Config,
    pub metrics: MetricsAccess,
    pub shutdown_deadline: Duration,
    pub pace: Pace,
}

/// Times that development shortens.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// For which a claimed job is this worker's. It is not renewed: a push has twice its deadline,
    /// after the time that others in flight take.
    pub job_lease: Duration,
    /// For which a block of a campaign is this worker's, unless renewed.
    pub block_lease_ms: i64,
    /// In which a campaign's rate rises.
    pub ramp_ms: i64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            job_lease: Duration::from_secs(120),
            block_lease_ms: CAMPAIGN_LEASE_MS,
            ramp_ms: CAMPAIGN_RAMP_MS,
        }
    }
}

impl Pace {
    /// Short enough to watch what a killed worker leaves.
    const DEVELOPMENT: Self =
        Self { job_lease: Duration::from_secs(60), block_lease_ms: 10_000, ramp_ms: 1000 };
}

/// Deadline of one request in development.
const DEVELOPMENT_DEADLINE: Duration = Duration::from_secs(10);

impl Config {
    /// Checks the settings.
    ///
    /// # Errors
    /// The problem and the setting's name, never a secret value.
    pub fn new(args: &ServeArgs) -> Result<Self> {
        let (Some(url), Some(token_file)) =
            (set(args.functions_url.as_ref()), set(args.functions_token_file.as_ref()))
        else {
            bail!(
                "--functions-url (BELLWIRE_PUSH_FUNCTIONS_URL) and --functions-token-file \
                 (BELLWIRE_PUSH_FUNCTIONS_TOKEN_FILE) are required"
            )
        };
        let base = base_text(url, "--functions-url (BELLWIRE_PUSH_FUNCTIONS_URL)")?;
        let token_file = PathBuf::from(token_file);
        token_file::check(
            &token_file,
            "--functions-token-file (BELLWIRE_PUSH_FUNCTIONS_TOKEN_FILE)",
        )?;
        let (listen, metrics_token) =
            (args.metrics_listen.as_deref(), args.metrics_token_file.as_deref());
        Ok(Self {
            functions: FunctionsConfig { base, token_file },
            redis: RedisTarget::parse(&args.redis_url)
                .context("--redis-url (BELLWIRE_PUSH_REDIS_URL)")?,
            sender: sender(args)?,
            metrics: MetricsAccess::new(listen, metrics_token, "BELLWIRE_PUSH_")?,
            shutdown_deadline: Duration::from_secs(args.shutdown_deadline_s),
            pace: if args.development { Pace::DEVELOPMENT } else { Pace::default() },
        })
    }
}

fn sender(args: &ServeArgs) -> Result<push::sender::Config> {
    let services = &args.services;
    let defaults = push::sender::Config::default();
    let config = push::sender::Config {
        fcm: fcm(services, args.development)?,
        webpush: webpush(services, args.development)?,
        apns: apns(services)?,
        connections_per_host: args.connections_per_host as usize,
        in_flight_max: args.in_flight as usize,
        deadline: if args.development { DEVELOPMENT_DEADLINE } else { defaults.deadline },
        is_development: args.development,
        ..defaults
    };
    ensure!(
        config.fcm.is_some() || config.webpush.is_some() || config.apns.is_some(),
        "no service is configured: set --fcm-service-account (BELLWIRE_PUSH_FCM_SERVICE_ACCOUNT), \
         --vapid-key (BELLWIRE_PUSH_VAPID_KEY) or --apns-key (BELLWIRE_PUSH_APNS_KEY)"
    );
    Ok(config)
}

/// The value of a setting, unless it is empty.
fn set(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn list(values: &[String]) -> Vec<&str> {
    values.iter().map(|text| text.trim()).filter(|text| !text.is_empty()).collect()
}

fn fcm(args: &ServiceArgs, is_development: bool) -> Result<Option<FcmConfig>> {
    const ORIGIN: &str = "--fcm-origin (BELLWIRE_PUSH_FCM_ORIGIN)";
    let origin = set(args.fcm_origin.as_ref());
    let Some(file) = set(args.fcm_service_account.as_ref()) else {
        ensure!(
            origin.is_none(),
            "{ORIGIN} needs --fcm-service-account (BELLWIRE_PUSH_FCM_SERVICE_ACCOUNT)"
        );
        return Ok(None);
    };
    let mut config = FcmConfig::new(PathBuf::from(file));
    if let Some(origin) = origin {
        ensure!(is_development, "{ORIGIN} needs --development (BELLWIRE_PUSH_DEVELOPMENT)");
        config.origin =
            Origin::parse(origin, true).map_err(|problem| anyhow!("{ORIGIN}: {problem}"))?;
    }
    Ok(Some(config))
}

fn webpush(args: &ServiceArgs, is_development: bool) -> Result<Option<WebPushConfig>> {
    const SUBJECT: &str = "--vapid-subject (BELLWIRE_PUSH_VAPID_SUBJECT)";
    const HOSTS: &str = "--webpush-hosts (BELLWIRE_PUSH_WEBPUSH_HOSTS)";
    const KEY: &str = "--vapid-key (BELLWIRE_PUSH_VAPID_KEY)";
    let hosts = list(&args.webpush_hosts);
    let (key, subject) = match (set(args.vapid_key.as_ref()), set(args.vapid_subject.as_ref())) {
        (Some(key), Some(subject)) => (key, subject),
        (Some(_), None) => bail!("{KEY} needs {SUBJECT}"),
        (None, Some(_)) => bail!("{SUBJECT} needs {KEY}"),
        (None, None) => {
            ensure!(hosts.is_empty(), "{HOSTS} needs {KEY}");
            return Ok(None);
        }
    };
    check_subject(subject).map_err(|problem| anyhow!("{SUBJECT}: {problem}"))?;
    let allowed = match hosts.is_empty() {
        true => Allowed::default(),
        false => Allowed::new(&hosts)
            .map_err(|host| anyhow!("{HOSTS}: {host:?} is neither a host name nor *.name"))?,
    };
    let allowed = if is_development { allowed.with_loopback() } else { allowed };
    Ok(Some(WebPushConfig { key: PathBuf::from(key), subject: subject.to_owned(), allowed }))
}

fn apns(args: &ServiceArgs) -> Result<Option<ApnsConfig>> {
    let topics: Vec<String> = list(&args.apns_topics).into_iter().map(str::to_owned).collect();
    let (key, key_id, team_id) = (
        set(args.apns_key.as_ref()),
        set(args.apns_key_id.as_ref()),
        set(args.apns_team_id.as_ref()),
    );
    match (key, key_id, team_id) {
        (None, None, None) if topics.is_empty() => Ok(None),
        (Some(key), Some(key_id), Some(team_id)) if !topics.is_empty() => {
            let (key_id, team_id) = (key_id.to_owned(), team_id.to_owned());
            Ok(Some(ApnsConfig::new(PathBuf::from(key), key_id, team_id, topics)))
        }
        _ => bail!(
            "APNs needs all of --apns-key, --apns-key-id, --apns-team-id and --apns-topics \
             (BELLWIRE_PUSH_APNS_KEY, …_KEY_ID, …_TEAM_ID, …_TOPICS), or none"
        ),
    }
}

#[cfg(test)]
mod tests;
